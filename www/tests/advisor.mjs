import assert from 'node:assert/strict';
import test from 'node:test';
import { advise, distance, logChance, logChanceMore, moved } from '../js/advisor.js';
import { Aggregate } from '../js/aggregate.js';
import { random } from '../js/series.js';

test('the distance is that of the two distributions', () => {
  assert.equal(distance([1, 2, 3], [1, 2, 3]), 0);
  assert.equal(distance([1, 2, 3], [4, 5]), 1);
  assert.equal(distance([1, 2, 3, 4], [3, 4, 5, 6]), 0.5);
  // Values that are alike in both move both distributions at once.
  assert.equal(distance([0, 0, 0, 1], [0, 0, 1, 1]), 0.25);
});

test('the chance agrees with the table of Massey 1951 and does not underflow', () => {
  // For large samples d = 1.36 √((n+m)/nm) is the 5 % point and 1.63 the 1 % one.
  for (const [factor, chance] of [[1.36, 0.05], [1.63, 0.01]]) {
    const d = factor * Math.sqrt(2 / 10_000);
    assert.ok(Math.abs(10 ** logChance(d, 10_000, 10_000) - chance) < chance * 0.05);
  }
  assert.ok(logChance(1, 5000, 5000) < -1000);
  assert.equal(logChance(0, 10, 10), 0);
});

test('noise does not move, a new level does', () => {
  const next = random(5);
  const noise = (n, level) => Array.from({ length: n }, () => level + next());
  let alarms = 0;
  for (let round = 0; round < 500; round += 1) if (moved(noise(80, 1), noise(20, 1)).logChance < -3) alarms += 1;
  assert.ok(alarms <= 3, `${alarms} of 500`);
  const change = moved(noise(80, 10), noise(20, 12));
  assert.ok(change.logChance < -6);
  assert.ok(change.volume > 0.1 && change.volume < 0.3);
  assert.equal(moved([1, 2], [3]), undefined);
});

test('curves are ranked, and counters are compared by what they add', () => {
  const aggregate = new Aggregate();
  const names = ['steady', 'moved', 'jobs_total'];
  aggregate.names({ subjects: [{ index: 0, labels: { service: 'a' } }], series: names.map((metric, index) => ({ index, subject: 0, metric })), groups: [] });
  const next = random(1);
  const n = 300;
  const flat = { row: [], time: [], surprise: [], flags: [], subject: [], group: [], value_event: [], value_series: [], value: [] };
  for (let at = 0; at < n; at += 1) {
    flat.time.push(at * 1000);
    flat.row.push(at);
    flat.surprise.push(0);
    flat.flags.push(8);
    flat.subject.push(0);
    flat.group.push(0xffffffff);
    const values = [next(), next() + (at >= 250 ? 3 : 0), at * 5];
    values.forEach((value, series) => {
      flat.value_event.push(at);
      flat.value_series.push(series);
      flat.value.push(value);
    });
  }
  aggregate.add(flat);
  const advice = advise(aggregate.curves(), { from: 250_000, to: 300_000, start: aggregate.from, width: aggregate.width });
  assert.deepEqual(advice.found.map(({ name }) => name), ['moved']);
  assert.equal(advice.begin, 50_000);
  assert.equal(advice.looked, 3);
});

test("Fisher's exact test", () => {
  // The lady who tastes tea (Fisher 1935): all four right of eight cups is one in seventy, three or more 17 of 70.
  assert.ok(Math.abs(10 ** logChanceMore(4, 4, 0, 4) - 1 / 70) < 1e-12);
  assert.ok(Math.abs(10 ** logChanceMore(3, 4, 1, 4) - 17 / 70) < 1e-12);
  assert.ok(Math.abs(logChanceMore(0, 60, 0, 240)) < 1e-12);
  assert.ok(logChanceMore(60, 60, 0, 240) < -50);
});

test('kinds of lines that are new are told, few of them too, and rare ones that come anywhere are not', () => {
  const aggregate = new Aggregate();
  const groups = ['steady', 'new and often', 'new and once', 'anywhere', 'stopped'];
  aggregate.names({ subjects: [{ index: 0, labels: { service: 'a' } }], series: [], groups: groups.map((text, index) => ({ index, subject: 0, kind: 'template', text })) });
  const columns = { row: [], time: [], surprise: [], flags: [], subject: [], group: [], value_event: [], value_series: [], value: [] };
  const line = (at, group) => {
    columns.row.push(columns.row.length);
    columns.time.push(at * 1000);
    columns.surprise.push(0);
    columns.flags.push(16);
    columns.subject.push(0);
    columns.group.push(group);
  };
  for (let at = 0; at < 300; at += 1) {
    line(at, 0);
    if (at >= 240 && at % 7 === 0) line(at, 1);
    if (at === 250) line(at, 2);
    if (at % 55 === 0) line(at, 3);
    if (at < 240 && at % 4 === 0) line(at, 4);
  }
  aggregate.add(columns);
  const about = { to: 300_000, start: aggregate.from, width: aggregate.width };
  const advice = advise(aggregate.curves(), { from: 240_000, ...about });
  assert.deepEqual(advice.found.map(({ name }) => name).toSorted(), ['new and often', 'stopped']);
  assert.deepEqual(advice.fresh.map(({ name }) => name), ['new and once']);
  // The window of an anomaly begins with its first line, wherever that is among the points.
  const exact = { from: 250_417, to: 299_000, start: aggregate.from, width: aggregate.width };
  columns.time = columns.time.map((time, at) => (columns.group[at] === 2 ? exact.from : time));
  const again = new Aggregate(100);
  again.names({ subjects: [{ index: 0, labels: {} }], series: [], groups: groups.map((text, index) => ({ index, subject: 0, kind: 'template', text })) });
  again.add(columns);
  assert.equal(again.width, 5000);
  assert.deepEqual(advise(again.curves(), { ...exact, width: again.width }).fresh.map(({ name }) => name), ['new and once']);
  // In the beginning everything is new, which tells nothing.
  assert.deepEqual(advise(aggregate.curves(), { from: 0, ...about, to: 60_000 }).fresh, []);
});
