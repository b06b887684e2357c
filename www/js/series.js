// A series of our own: a day's rhythm, noise, and a few things that go wrong. The same seed gives the same bytes.

/** Mulberry32: small, and good enough for noise. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const MINUTE = 60_000;
const START = Date.UTC(2026, 10, 2);

/**
 * Fourteen days of a service, one row in five minutes, as CSV. What goes wrong: a spike on day 9, a new level on day 11,
 * a metric that is stuck on day 12, and load at night on day 13.
 */
export function ownSeries(seed = 7, days = 14) {
  const next = random(seed);
  // Box-Muller, one half of it.
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const perDay = 288;
  const rows = ['timestamp,service,requests_per_second,latency_ms,cpu_percent'];
  let slow = 0;
  let cpu = 0;
  for (let n = 0; n < days * perDay; n += 1) {
    const day = n / perDay;
    const hour = (n % perDay) / 12;
    const weekend = Math.floor(day) % 7 >= 5 ? 0.7 : 1;
    slow = 0.9 * slow + 0.3 * normal();
    let load = weekend * (60 + 45 * Math.sin((2 * Math.PI * (hour - 9)) / 24) + 8 * Math.sin((4 * Math.PI * hour) / 24)) + 3 * normal() + slow;
    if (day >= 13.08 && day < 13.16) load += 55;
    load = Math.max(1, load);
    let latency = 40 + load * 0.12 + 2 * normal();
    if (day >= 9.55 && day < 9.57) latency += 90;
    if (day >= 11.4) latency += 22;
    if (!(day >= 12.3 && day < 12.6)) cpu = 12 + load * 0.45 + 1.5 * normal();
    const time = new Date(START + n * 5 * MINUTE).toISOString().slice(0, 19);
    rows.push(`${time}Z,shop,${load.toFixed(1)},${latency.toFixed(1)},${cpu.toFixed(1)}`);
  }
  return `${rows.join('\n')}\n`;
}
