import assert from 'node:assert/strict';
import test from 'node:test';
import { Recent, fitting } from '../js/windows.js';

/** Requests of `[second, route, failed, duration, client]`, and the lines that they were read from. */
function input(requests) {
  const recent = new Recent();
  const of = (values) => Uint32Array.from(values);
  recent.names({ groups: [{ index: 0, kind: 'route', text: 'GET search' }, { index: 1, kind: 'route', text: 'POST charge' }], series: [{ index: 0, metric: 'duration_ms' }] });
  recent.add({ row: of(requests.keys()), time: Float64Array.from(requests, ([second]) => second * 1000), flags: Uint8Array.from(requests, ([, , failed]) => 32 + failed * 4),
    group: of(requests.map(([, route]) => route)), value_event: of(requests.keys()), value_series: of(requests.map(() => 0)), value: Float64Array.from(requests, ([, , , duration]) => duration) });
  const lines = requests.map(([, , failed, , client], line) => ({ line, text: `${client} ${failed ? 404 : 200}` }));
  return { recent, line: (told) => fitting(recent.about(told), (row) => row, async (from, end) => lines.slice(from, end)) };
}

const told = (kind, subject, observed = 5) => ({ kind, subject, timestamp: new Date(60_000).toISOString(), explanation: { contributions: [{ observed }], features: { window_seconds: 30 } } });

test('the line of an alarm over a window is one that fits it, or none', async () => {
  const { line } = input([[10, 0, 1, 900, 'a'], [35, 1, 0, 700, 'b'], [40, 0, 0, 300, 'b'], [45, 0, 1, 20, 'a'], [50, 1, 0, 8, 'c'], [60, 0, 1, 999, 'a']]);
  const search = { method: 'GET', route: 'search' };
  assert.equal(await line(told('errors', search)), 3);
  assert.equal(await line(told('latency', search)), 2);
  assert.equal(await line(told('latency', {})), 1);
  assert.equal(await line(told('path_scan', { client: 'a' })), 3);
  assert.equal(await line(told('path_scan', { client: 'b' })), undefined);
  assert.equal(await line(told('errors', { method: 'POST', route: 'charge' })), undefined);
  assert.equal(await line(told('traffic_drop', search)), undefined);
});
