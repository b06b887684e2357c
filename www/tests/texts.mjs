import assert from 'node:assert/strict';
import test from 'node:test';
import { budgetAt, budgetInWords, forTheSlider, lean, stepOf, withFields } from '../js/config.js';
import { Told, compare, fires, table, worst } from '../js/episodes.js';
import { csv, exported } from '../js/exports.js';
import { Lines, lineOf } from '../js/lines.js';
import { decode, encode } from '../js/link.js';
import { ownSeries } from '../js/series.js';
import { Source, Unreadable, look } from '../js/source.js';
import * as words from '../js/words.js';

const anomaly = (about) => ({
  timestamp: '2026-11-20T19:00:00Z', subject: { service: 'cart' }, kind: 'spike', anomaly_type: 'performance', severity: 'high', score: 0.9999,
  surprise: 4.48, threshold: 3.16, phase: 'end', seconds: 360, events: 7, peak: '2026-11-20T19:00:00Z', fingerprint: '4784b8b2c3f67452',
  explanation: { contributions: [{ of: 'latency_ms', model: 'shape', surprise: 4.48, observed: 145.7, expected: { value: 45.6 }, unit: 'ms' }], counterfactual: [{ of: 'latency_ms', value: 58.2456 }] },
  ...about,
});

test('words are those of the command line', () => {
  assert.deepEqual([0, 1, 2.5, 4.301, 6.6, 9].map(words.odds), ['1 in 1', '1 in 10', '1 in 320', '1 in 20,000', '1 in 4 million', 'less than 1 in a billion']);
  assert.equal(words.quantity(1250, 'ms'), '1.25\u00a0s');
  assert.equal(words.quantity(1288490188.8, 'B'), '1.2\u00a0GiB');
  assert.equal(words.quantity(0.035, '1'), '3.5\u00a0%');
  assert.deepEqual([1.85e-5, 0, 0.004].map((value) => words.quantity(value, '%')), ['almost none', '0\u00a0%', '0.004\u00a0%']);
  assert.equal(words.quantity(106, '1/min'), '106/min');
  assert.deepEqual([0.00123, 1e-9, 3.7e15, 99.96, -1234.6].map((value) => words.number(value)), ['0.00123', '1.00e-9', '3.70e15', '100', '-1,235']);
  assert.deepEqual([0, 0.25, 30, 750, 3600, 5000, 90_000].map(words.duration), ['0s', 'under 1s', '30s', '12m 30s', '1h', '1h 23m', '1d 1h']);
  assert.match(words.sentence(anomaly()), /latency_ms rose far above .*: latency_ms 146.ms, expected 45.6.ms, normal ≤ 58.2.ms\./);
  assert.equal(words.whatOf(anomaly()), 'spike · latency_ms');
  assert.equal(words.whatOf(anomaly({ kind: 'errors' })), 'errors');
  assert.equal(words.plain('\u001b[31mred\n\u202e'), '\\u{1b}[31mred\\u{a}\\u{202e}');
});

test('an episode is one entry, with the last that was said of it', () => {
  const told = new Told(2);
  const say = (about) => told.add(JSON.stringify(about));
  say(anomaly({ phase: 'onset', severity: 'low' }));
  say(anomaly({ phase: 'worse', severity: 'high' }));
  say(anomaly({ phase: 'end', seconds: 900 }));
  say(anomaly({ phase: 'near', fingerprint: '0', surprise: 2.5 }));
  told.add('{"row":0,"score":0.1}');
  for (const line of [1, 2, 3]) say({ problem: { line, message: 'no' } });
  say({ note: 'read as CSV', format: 'csv' });
  say({ session: 's', anomaly: true, surprise: 5, lines: 3 });
  told.began('2026-11-20T19:00:00Z 4784b8b2c3f67452', 42);
  assert.equal(told.episodes.length, 2);
  assert.deepEqual([told.episodes[0].told.seconds, told.episodes[0].row, told.episodes[0].tells.length], [900, 42, 3]);
  assert.deepEqual([told.problems.length, told.problemCount, told.sessionCount, told.format], [2, 3, 1, 'csv']);
  assert.equal(worst(told.episodes).row, 42);
});

test('the budget moves the threshold by a decade for each ten times', () => {
  const alarm = { told: anomaly({ surprise: 4.48, threshold: 3.98 }), near: false };
  const near = { told: anomaly({ surprise: 3.5, threshold: 4, phase: 'near' }), near: true };
  assert.deepEqual([0.01, 0.03, 0.04, 0.1].map((budget) => fires(alarm, budget, 0.1)), [false, false, true, true]);
  assert.deepEqual([0.1, 0.3, 0.4].map((budget) => fires(near, budget, 0.1)), [false, false, true]);
  assert.deepEqual(table([alarm, near], [0.01, 0.1, 1, 10], 0.1).map(({ alarms }) => alarms), [0, 1, 2, undefined]);
  const rule = { told: anomaly({ explanation: { contributions: [{ of: 'cpu', model: 'rule', surprise: 3, observed: 99, expected: { value: 95 } }] }, surprise: 3, threshold: 3 }), near: false };
  assert.equal(fires(rule, 0.001, 0.1), true);
});

test('two runs are compared by what is anomalous and when', () => {
  const at = (timestamp, fingerprint, phase = 'end') => ({ id: `${timestamp} ${fingerprint}`, near: phase === 'near', told: anomaly({ timestamp, fingerprint, phase, seconds: 60 }) });
  const before = [at('2026-11-20T19:00:00Z', 'a'), at('2026-11-20T20:00:00Z', 'b'), at('2026-11-20T21:00:00Z', 'c', 'near')];
  const after = [at('2026-11-20T19:05:00Z', 'a'), at('2026-11-20T23:00:00Z', 'b')];
  const { gone, both, added } = compare(before, after);
  assert.deepEqual([gone.length, both.length, added.length], [1, 1, 1]);
});

test('only what differs from the defaults is kept', () => {
  assert.deepEqual(lean({ detector: { false_alarms_per_day: 0.1, learning: 'guarded', near_misses: false, models: { together: [] } } }), {});
  assert.deepEqual(withFields({}, { false_alarms_per_day: 1 }), { detector: { false_alarms_per_day: 1 } });
  assert.equal(forTheSlider({ detector: { learning: 'open' } }).detector.near_misses, true);
  assert.equal(budgetAt(stepOf(0.1)), 0.1);
  assert.deepEqual([budgetAt(0), budgetAt(80)], [0.001, 10]);
  assert.equal(budgetInWords(0.1), 'one in 10 days');
});

test('what is exported is complete, and names and snapshots cannot break out of it', () => {
  const about = { config: { detector: { false_alarms_per_day: 0.5 } }, service: 'a: b\n- c', state: new Uint8Array([1, 2, 255]), input: "it's.log" };
  const envoy = exported('envoy', about);
  const value = envoy.text.split('\n').find((line) => line.trim().startsWith('{"detector"'));
  assert.deepEqual(JSON.parse(value), { detector: { false_alarms_per_day: 0.5 }, envoy: { service: 'a-b-c', warm_start: { snapshot: 'AQL/' } } });
  for (const target of ['envoy', 'vector', 'fluent-bit', 'cli']) {
    const { text, module, files } = exported(target, about);
    assert.ok(!text.includes('undefined') && !text.includes('[object'), target);
    assert.ok(!/\t/.test(text), 'YAML knows no tabs');
    assert.match(module, /^download\/watchpost-.*\.wasm$/);
    if (target !== 'envoy') assert.deepEqual(JSON.parse(files[0].text), about.config);
  }
  assert.ok(exported('cli', about).text.includes(String.raw`'it'\''s.log'`));
  assert.equal(exported('vector', { ...about, config: {}, state: undefined }).files.length, 0);
});

test('a cell that looks like a formula is a text', () => {
  const text = csv([{ told: anomaly({ subject: { service: '=cmd|"x"' }, explanation: { contributions: [], template: '=1+1, "a"' } }) }]);
  assert.ok(text.includes('"\'=1+1, ""a"""'));
  assert.equal(text.split('\r\n').length, 3);
});

test('a link gives back what it was made of, and a damaged one says so', async () => {
  const content = { config: { detector: { learning: 'open' } }, data: { name: 'ü.log', text: '<script>\n'.repeat(2000) } };
  const fragment = await encode(content);
  assert.match(fragment, /^w1=[A-Za-z0-9_-]+$/);
  assert.ok(fragment.length < 400);
  assert.deepEqual(await decode(`#${fragment}`), content);
  assert.equal(await decode('#top'), undefined);
  await assert.rejects(decode(`#${fragment.slice(0, -20)}`), /damaged/);
});

test('a link cannot fill the memory', async () => {
  const fragment = await encode({ data: { text: 'a'.repeat(9 * 1024 * 1024) } });
  assert.ok(fragment.length < 20_000);
  await assert.rejects(decode(fragment), /8 MB/);
});

test('lines are found again, cut anywhere', async () => {
  const text = Array.from({ length: 2500 }, (_, n) => `line ${n}${n % 7 ? '' : '\r'}`).join('\n');
  const bytes = new TextEncoder().encode(text);
  const lines = new Lines();
  for (let at = 0; at < bytes.length; at += 97) lines.push(bytes.subarray(at, at + 97));
  assert.equal(lines.count, 2500);
  const read = (from, to) => lines.read(new Blob([bytes]), from, to);
  assert.deepEqual((await read(998, 1002)).map(({ line, text: told }) => [line, told]), [[998, 'line 998'], [999, 'line 999'], [1000, 'line 1000'], [1001, 'line 1001']]);
  assert.deepEqual((await read(-3, 1)).map(({ text: told }) => told), ['line 0']);
  assert.deepEqual((await read(2498, 2600)).map(({ text: told }) => told), ['line 2498', 'line 2499']);
});

test('rows are lines, but for a header, and otherwise it is said that they are not', () => {
  assert.equal(lineOf(5, { rows: 10, lines: 10, format: 'ndjson' }), 5);
  assert.equal(lineOf(5, { rows: 10, lines: 11, format: 'csv' }), 6);
  assert.equal(lineOf(5, { rows: 8, lines: 10, format: 'text' }), 5);
  assert.equal(lineOf(5, { rows: 10, lines: 90, format: 'otlp' }), undefined);
});

test('what cannot be read is named', () => {
  const bytes = (...values) => Uint8Array.from(values);
  for (const [head, words] of [[[], /empty/], [[0x28, 0xb5, 0x2f, 0xfd, 0], /zstd/], [[0x50, 0x4b, 3, 4], /zip/], [[0xff, 0xfe, 65, 0], /UTF-16/], [[65, 0, 66], /binary/], [Array(50).fill(0x81), /no text/]]) {
    assert.throws(() => look(bytes(...head)), (error) => error instanceof Unreadable && words.test(error.message));
  }
  assert.equal(look(bytes(0x1f, 0x8b)), 'gzip');
  assert.equal(look(new TextEncoder().encode('häufig ü')), 'plain');
});

test('a packed input comes out as it went in, and one that was cut off says so', async () => {
  const text = 'line\n'.repeat(100_000);
  const packed = await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).blob();
  const source = new Source(packed);
  let size = 0;
  for await (const { bytes } of source.pieces()) size += bytes.length;
  assert.equal(size, text.length);
  assert.equal(await source.blob.text(), text);
  await assert.rejects(async () => {
    for await (const _ of new Source(packed.slice(0, packed.size - 40)).pieces()) void _;
  }, /cut off/);
});

test('our own series is the same every time', () => {
  assert.equal(ownSeries(), ownSeries());
  assert.notEqual(ownSeries(7), ownSeries(8));
  assert.equal(ownSeries().trimEnd().split('\n').length, 14 * 288 + 1);
});
