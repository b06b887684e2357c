// Numbers, times and names as people say them: the same words as the command line's table, so that an anomaly reads
// alike wherever it is read (host/src/cli/page/words.rs and story.rs).

const DIGITS = 3;

export const KINDS = {
  spike: 'spike', dip: 'dip', level_shift: 'level shift', drift: 'drift', trend_change: 'trend change',
  variance_change: 'variance change', stuck: 'stuck', log_severity: 'severe log line', new_template: 'new log template',
  log_burst: 'log burst', log_missing: 'missing log line', silence: 'silence', rule: 'hard limit', pattern: 'pattern',
  latency: 'slow', latency_spread: 'partly slow', errors: 'errors', retry_storm: 'retry storm',
  traffic_drop: 'missing traffic', traffic_surge: 'traffic surge', response_size: 'response size', path_scan: 'path scan',
};

/** The gravest last, as in the detector. */
export const SEVERITIES = ['low', 'medium', 'high', 'critical'];

export const kind = (name) => KINDS[name] ?? String(name).replaceAll('_', ' ');

/** A whole number with its thousands apart: `1,234,567`. */
export const count = (value) => grouped(String(Math.round(value)));

/** `1 event`, `4,032 events`. */
export const counted = (amount, noun) => `${count(amount)} ${noun}${amount === 1 ? '' : 's'}`;

/** With about three digits that matter: `1,234`, `56.7`, `0.00123`, `1.2e15`. */
export function number(value, digits = DIGITS) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  if (size < 1e-12) return '0';
  if (size < 1e-4 || size >= 1e12) return value.toExponential(digits - 1).replace('e+', 'e');
  const before = Math.floor(Math.log10(size)) + 1;
  const text = value.toFixed(Math.max(0, digits - before));
  const [whole, fraction = ''] = text.split('.');
  const kept = fraction.replace(/0+$/, '');
  return kept ? `${grouped(whole)}.${kept}` : grouped(whole);
}

function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

function seconds(value) {
  const size = Math.abs(value);
  if (size >= 7200) return [value / 3600, 'h'];
  if (size >= 120) return [value / 60, 'min'];
  if (size >= 1 || size === 0) return [value, 's'];
  if (size >= 1e-3) return [value * 1e3, 'ms'];
  if (size >= 1e-6) return [value * 1e6, 'µs'];
  return [value * 1e9, 'ns'];
}

/** `812 B`, `1.2 GiB`, as [number, unit]. */
function binary(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  while (Math.abs(value) >= 1024 && at + 1 < units.length) {
    value /= 1024;
    at += 1;
  }
  return [value, units[at]];
}

/** A value in its unit, scaled to be read: `812 ms`, `1.2 GiB`, `3.5 %`. */
export function quantity(value, unit, digits = DIGITS) {
  const [scaled, shown] = scale(value, unit);
  // Nobody can picture 1.85e-5 %.
  if (shown === '%' && scaled !== 0 && Math.abs(scaled) < 0.001) return 'almost none';
  const text = number(scaled, digits);
  if (!shown) return text;
  if (shown === 'times seen') return text === '1' ? 'seen once' : `seen ${text} times`;
  if (shown === 'values alike') return text === '1' ? '1 value alike' : `${text} values alike`;
  if (shown.startsWith('1/')) return `${text}/${shown.slice(2)}`;
  return `${text}\u00a0${shown}`;
}

function scale(value, unit) {
  switch (unit) {
    case 'ns': return seconds(value / 1e9);
    case 'us': return seconds(value / 1e6);
    case 'ms': return seconds(value / 1e3);
    case 's': return seconds(value);
    case 'B': return binary(value);
    case '1': return [value * 100, '%'];
    case 'C': return [value, '°C'];
    default: return [value, unit ?? ''];
  }
}

/** A size of a file, in the units people see elsewhere: `55.9 MB`. */
export function fileSize(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${number(bytes / 1e3)} kB`;
  if (bytes < 1e9) return `${number(bytes / 1e6)} MB`;
  return `${number(bytes / 1e9)} GB`;
}

/** How long something lasted, in its two greatest units: `12m 30s`. */
export function duration(value) {
  if (value > 0 && value < 1) return 'under 1s';
  const whole = Math.round(value);
  const parts = [
    [Math.floor(whole / 86400), 'd'], [Math.floor(whole / 3600) % 24, 'h'], [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return '0s';
  return parts.slice(first, first + 2).filter(([amount]) => amount > 0).map(([amount, unit]) => `${amount}${unit}`).join(' ');
}

/** `2026-03-02 14:05:30`, in UTC, which is what the detector tells. */
export function moment(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString().slice(0, 19).replace('T', ' ');
}

/** `service=cart route=checkout`, the service first, or nothing for the only subject. */
export function subject(labels) {
  return Object.entries(labels ?? {})
    .sort(([a], [b]) => Number(b.startsWith('service')) - Number(a.startsWith('service')) || (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${plain(value)}`)
    .join(' ');
}

/** The same, shorter, for where the names of labels go without saying: `POST charge · payments`. */
export function subjectShort(labels) {
  const { method, route, upstream, service, client, ...rest } = labels ?? {};
  const first = [method, route].filter(Boolean).join(' ');
  const parts = [first, service, upstream, client, ...Object.values(rest)].filter(Boolean).map(plain);
  return parts.join(' · ') || 'the whole input';
}

/** How rarely normal behaviour looks this strange: `1 in 20,000`, `1 in 4 million`. */
export function odds(surprise) {
  if (surprise >= 9) return 'less than 1 in a billion';
  if (surprise >= 6) return `1 in ${number(twoDigits(10 ** (surprise - 6)))} million`;
  return `1 in ${count(twoDigits(10 ** Math.max(0, surprise)))}`;
}

function twoDigits(value) {
  const step = 10 ** (Math.floor(Math.log10(Math.max(1, value))) - 1);
  return Math.round(value / step) * step;
}

/** Text from the input without what would move a cursor or reverse the reading direction: logs may hold anything. */
export function plain(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

export function observation(seen, unit, digits = DIGITS) {
  return typeof seen === 'number' ? quantity(seen, unit, digits) : plain(seen ?? '');
}

/** `204 ms (180 to 230 ms)`. */
export function expected(told, unit) {
  const value = observation(told.value, unit);
  const { low, high } = told;
  const known = (bound) => bound !== undefined && bound !== null;
  if (known(low) && known(high)) return `${value} (${range(low, high, unit)})`;
  if (known(low)) return `${value} (from ${quantity(low, unit)})`;
  if (known(high)) return `${value} (up to ${quantity(high, unit)})`;
  return value;
}

/** `180 to 230 ms`: a unit that both ends have is told once. */
export function range(low, high, unit) {
  const [from, to] = [quantity(low, unit), quantity(high, unit)];
  const [number, ofLow] = from.split('\u00a0');
  return `${ofLow && ofLow === to.split('\u00a0')[1] ? number : from} to ${to}`;
}

export const isOfModels = (part) => part.model !== 'rule' && part.model !== 'pattern';

/** Whether what was seen reads like what was expected; to say that it was expected would explain nothing then. */
export function isAsExpected(part) {
  return part.expected.low === undefined && part.expected.high === undefined
    && observation(part.observed) === observation(part.expected.value);
}

/**
 * The nearest values that would not have been flagged: `[{of, side: '≤', told: '58.2 ms', value, unit}]`. What only came
 * close has crossed no bound.
 */
export function normals(anomaly) {
  if (anomaly.phase === 'near') return [];
  const { contributions, counterfactual = [] } = anomaly.explanation;
  return counterfactual.flatMap(({ of, value }) => {
    const about = contributions.find((part) => part.of === of);
    const unit = about?.unit;
    const told = (digits) => quantity(value, unit, digits);
    const side = typeof about?.observed === 'number' ? (about.observed > value ? '≤' : '≥') : '';
    const digits = typeof about?.observed === 'number' && quantity(about.observed, unit) === told(DIGITS) ? DIGITS + 1 : DIGITS;
    return [{ of, side, value, unit, told: told(digits) }];
  });
}

/** The same for a table. */
export const chanceShort = (anomaly) => chance(anomaly).replace('less than', '<');

/** What happened, in a few words: `level shift`, `pattern disk-full`. */
export function what(anomaly) {
  const [strongest] = anomaly.explanation.contributions;
  return strongest?.model === 'pattern' ? `pattern ${plain(strongest.of)}` : kind(anomaly.kind);
}

const OF_METRICS = new Set(['spike', 'dip', 'level_shift', 'drift', 'trend_change', 'variance_change', 'stuck', 'rule']);

/** The same with the metric that it is about most: `spike · queue_depth`. */
export function whatOf(anomaly) {
  const [strongest] = anomaly.explanation.contributions;
  return strongest && OF_METRICS.has(anomaly.kind) && strongest.model !== 'pattern' ? `${what(anomaly)} · ${plain(strongest.of)}` : what(anomaly);
}

/** The chance, or nothing where it is no matter of chance: a person has set that it is anomalous. */
export function chance(anomaly) {
  const parts = anomaly.explanation.contributions;
  return parts.length === 0 || parts.some(isOfModels) ? odds(anomaly.surprise) : '';
}

/** `12m 30s`, `ongoing`, or nothing for a single moment. */
export function lasted(anomaly) {
  const isOver = anomaly.phase === 'end' || anomaly.phase === 'near';
  if (isOver) return anomaly.seconds > 0 ? duration(anomaly.seconds) : '';
  return anomaly.events > 1 || anomaly.kind === 'silence' ? 'ongoing' : '';
}

const OPENINGS = {
  spike: (m) => `${m} rose far above what was forecast`,
  dip: (m) => `${m} fell far below what was forecast`,
  level_shift: (m) => `${m} moved to another level and stayed there`,
  drift: (m) => `${m} has slowly moved away from its usual level`,
  trend_change: (m) => `${m} began to rise or fall steadily`,
  variance_change: (m) => `${m} scatters differently than before`,
  stuck: (m) => `${m} has stopped varying`,
  log_severity: () => 'A log line is more severe than this log’s usual lines',
  new_template: () => 'A kind of log line that was never seen before',
  log_burst: () => 'A kind of log line comes far more often than usual',
  log_missing: () => 'A kind of log line that came regularly has stopped',
  silence: () => 'This reported regularly and has stopped, while others go on',
  latency: () => 'Requests take longer than usual',
  latency_spread: () => 'A larger share of requests than usual is slow',
  errors: () => 'A larger share of requests than usual fails',
  retry_storm: () => 'Requests fail and are repeated, far more often than usual',
  traffic_drop: () => 'Much less traffic than this should have',
  traffic_surge: () => 'Much more traffic than this should have',
  response_size: () => 'Responses are much larger or smaller than usual',
  path_scan: () => 'One client asks for many paths that do not exist',
  rule: (m) => `${m} is above the limit that was set for it`,
  pattern: () => 'A known pattern was found',
};

/** What happened, in one sentence that needs no knowledge of the models. */
export function sentence(anomaly) {
  const { contributions, patterns = [] } = anomaly.explanation;
  const [strongest] = contributions;
  const metric = strongest ? plain(strongest.of) : 'A value';
  const named = strongest?.model === 'pattern' ? patterns.find((pattern) => pattern.name === strongest.of) : undefined;
  const opening = named?.description ? plain(named.description) : (OPENINGS[anomaly.kind] ?? (() => kind(anomaly.kind)))(metric);
  const numbers = evidence(anomaly);
  return numbers ? `${opening}: ${numbers}.` : `${opening}.`;
}

/** `242 ms, expected 41.3 ms (17.2 to 65.3 ms), normal ≤ 149 ms`. */
export function evidence(anomaly) {
  const [strongest] = anomaly.explanation.contributions;
  if (!strongest) return '';
  const { unit } = strongest;
  if (strongest.model === 'pattern' && typeof strongest.observed !== 'number') return '';
  const parts = [`${plain(strongest.of)} ${observation(strongest.observed, unit)}`];
  if (strongest.model === 'rule') parts.push(`limit ${observation(strongest.expected.value, unit)}`);
  else if (strongest.model !== 'pattern' && !isAsExpected(strongest)) parts.push(`expected ${expected(strongest.expected, unit)}`);
  const own = normals(anomaly).find((normal) => normal.of === strongest.of);
  if (own) parts.push(`normal ${own.side} ${own.told}`);
  return parts.join(', ');
}
