import assert from 'node:assert/strict';
import test from 'node:test';
import { Aggregate, WIDTHS, asRate, even, joined, widthFor } from '../js/aggregate.js';



/** Requests at these times in ms, of one route, that take as long as their place says. */
function requests(times, failed = () => false) {
  return { row: times.map((_, index) => index), time: times, surprise: times.map((_, index) => index % 7), flags: times.map((_, index) => 32 | (failed(index) ? 4 : 0)),
    subject: times.map(() => 0), group: times.map(() => 0), value_event: times.map((_, index) => index), value_series: times.map(() => 0), value: times.map((_, index) => index) };
}

function filled(times, options = {}) {
  const aggregate = new Aggregate(options.most ?? 100);
  aggregate.names({ subjects: [{ index: 0, labels: {} }], series: [{ index: 0, subject: 0, metric: 'duration_ms', unit: 'ms' }], groups: [{ index: 0, subject: 0, kind: 'route', text: 'GET /a' }] });
  aggregate.add(requests(times, options.failed));
  return aggregate;
}

test('widths divide each other, so that joining buckets is exact', () => {
  for (let at = 1; at < WIDTHS.length; at += 1) assert.equal(WIDTHS[at] % WIDTHS[at - 1], 0);
});

test('nothing is lost when buckets are joined, whatever the order', () => {
  const times = Array.from({ length: 5000 }, (_, index) => (index * 7919) % 5000 * 400);
  const aggregate = filled(times, { failed: (index) => index % 10 === 0 });
  for (const id of ['requests', 'g0']) {
    const view = aggregate.track(id);
    assert.ok(view.t.length <= 101);
    assert.equal(view.count.reduce((a, b) => a + b), 5000);
    assert.equal(view.failed.reduce((a, b) => a + b), 500);
    assert.equal(view.values.reduce((a, b) => a + b), 5000);
    const mean = view.mean.reduce((sum, value, index) => sum + value * view.values[index], 0) / 5000;
    assert.ok(Math.abs(mean - 2499.5) < 1e-6);
    assert.equal(Math.max(...view.max), 4999);
    assert.equal(Math.min(...view.min), 0);
    assert.equal(Math.max(...view.surprise), 6);
    assert.deepEqual([...view.t], [...view.t].sort((a, b) => a - b));
  }
});

test('one wild time does not make all others one bucket', () => {
  const aggregate = filled([...Array(50).keys()].map((n) => 1.7e12 + n * 10).concat(0));
  assert.equal(aggregate.width, 10);
  assert.equal(aggregate.track('requests').t.length, 51);
});

test('the list names what there is, and what has no curve is left out', () => {
  const { series, groups, totals, rows } = filled([1, 2, 3]).list();
  assert.deepEqual([series.length, groups.length, totals.requests.count, rows], [1, 1, 3, 3]);
  assert.equal(groups[0].text, 'GET /a');
  assert.equal(groups[0].mean, 1);
});

test('counts are spread evenly, with nothing where nothing was', () => {
  const view = filled([0, 5, 30, 31]).track('requests');
  const { t, sums } = even(view, 'count', 0, 49, 10);
  assert.deepEqual([...t], [0, 10, 20, 30, 40]);
  assert.deepEqual([...sums], [2, 0, 0, 2, 0]);
});

test('means are weighted when they are joined', () => {
  const view = filled([0, 1, 2, 10]).track('requests');
  const { t, mean, min, max } = joined(view, 0, 100, 100);
  assert.deepEqual([t, mean, min, max], [[0], [1.5], [0], [3]]);
});

test('a width is a multiple of that of the buckets', () => {
  assert.equal(widthFor(100_000, 100, 10), 1000);
  assert.equal(widthFor(100_000, 100, 10_000), 10_000);
  assert.equal(widthFor(100_000, 1000, 10, 4000), 5000);
});

test('a counter is shown as a rate, and a restart is no fall', () => {
  const view = { t: [0, 1000, 2000, 3000], values: [1, 1, 1, 1], mean: [10, 20, 30, 5], min: [], max: [], count: [1, 1, 1, 1], failed: [0, 0, 0, 0], surprise: [0, 0, 0, 0] };
  assert.equal(asRate('latency_ms', view), undefined);
  assert.equal(asRate('x_total', view), undefined, 'one fall in three is no counter');
  const longer = { ...view, t: [...Array(20).keys()].map((n) => n * 1000), values: Array(20).fill(1), mean: [...Array(20).keys()].map((n) => (n < 15 ? n * 2 : n - 15)) };
  assert.deepEqual([...asRate('x_total', longer).mean].slice(12), [2, 2, 0, 1, 1, 1, 1]);

});
