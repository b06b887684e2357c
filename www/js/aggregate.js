// The columns of a run, kept as buckets of time, so that 100 MB of log become some hundred kilobytes of curves.
//
// Nobody knows beforehand which time an input covers. Buckets begin small and are joined whenever more than `most` of them
// hold something; the widths of the ladder divide each other, so that joining is exact. Buckets without events take no
// space, which is also why a single line with a wild time does not make all others one bucket.

/** Milliseconds; each divides the next. */
export const WIDTHS = [10, 100, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000,
  14_400_000, 43_200_000, 86_400_000, 604_800_000, 2_419_200_000, 24_192_000_000, 241_920_000_000];

const NONE = 0xffffffff;
const FLAG = { anomalous: 1, onset: 2, failed: 4, sample: 8, line: 16, request: 32 };
// A bucket is a run of numbers: its place, events, failed ones, values with their sum and extremes, greatest surprise.
const [AT, COUNT, FAILED, VALUES, SUM, MIN, MAX, SURPRISE, SIZE] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

/** One curve: what happened in each bucket in which something did. */
class Track {
  constructor(id) {
    this.id = id;
    this.data = new Float64Array(4 * SIZE);
    this.length = 0;
    this.count = 0;
    this.failed = 0;
    this.values = 0;
    this.sum = 0;
    this.surprise = 0;
  }

  /** The offset of this bucket, which is made where it is missing. Most events are of the last one. */
  slot(bucket) {
    const { data, length } = this;
    if (length > 0) {
      const last = (length - 1) * SIZE;
      if (data[last + AT] === bucket) return last;
      if (data[last + AT] > bucket) return this.#between(bucket);
    }
    return this.#insert(length, bucket);
  }

  #between(bucket) {
    let low = 0;
    let high = this.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.data[middle * SIZE + AT] < bucket) low = middle + 1;
      else high = middle;
    }
    return this.data[low * SIZE + AT] === bucket ? low * SIZE : this.#insert(low, bucket);
  }

  #insert(index, bucket) {
    if ((this.length + 1) * SIZE > this.data.length) {
      const larger = new Float64Array(this.data.length * 2);
      larger.set(this.data);
      this.data = larger;
    }
    const offset = index * SIZE;
    this.data.copyWithin(offset + SIZE, offset, this.length * SIZE);
    this.data.fill(0, offset, offset + SIZE);
    this.data[offset + AT] = bucket;
    this.data[offset + MIN] = Infinity;
    this.data[offset + MAX] = -Infinity;
    this.length += 1;
    return offset;
  }

  event(bucket, failed, surprise) {
    const at = this.slot(bucket);
    const { data } = this;
    data[at + COUNT] += 1;
    this.count += 1;
    if (failed) {
      data[at + FAILED] += 1;
      this.failed += 1;
    }
    if (surprise > data[at + SURPRISE]) data[at + SURPRISE] = surprise;
    if (surprise > this.surprise) this.surprise = surprise;
  }

  value(bucket, value, surprise) {
    const at = this.slot(bucket);
    const { data } = this;
    data[at + VALUES] += 1;
    data[at + SUM] += value;
    if (value < data[at + MIN]) data[at + MIN] = value;
    if (value > data[at + MAX]) data[at + MAX] = value;
    if (surprise > data[at + SURPRISE]) data[at + SURPRISE] = surprise;
    this.values += 1;
    this.sum += value;
    if (surprise > this.surprise) this.surprise = surprise;
  }

  /** Joins `factor` buckets to one each. */
  widen(factor) {
    const { data } = this;
    let kept = -1;
    for (let index = 0; index < this.length; index += 1) {
      const from = index * SIZE;
      const bucket = Math.floor(data[from + AT] / factor);
      const to = kept * SIZE;
      if (kept >= 0 && data[to + AT] === bucket) {
        for (const field of [COUNT, FAILED, VALUES, SUM]) data[to + field] += data[from + field];
        data[to + MIN] = Math.min(data[to + MIN], data[from + MIN]);
        data[to + MAX] = Math.max(data[to + MAX], data[from + MAX]);
        data[to + SURPRISE] = Math.max(data[to + SURPRISE], data[from + SURPRISE]);
      } else {
        kept += 1;
        data.copyWithin(kept * SIZE, from, from + SIZE);
        data[kept * SIZE + AT] = bucket;
      }
    }
    this.length = kept + 1;
  }

  view(width) {
    const n = this.length;
    const column = () => new Float64Array(n);
    const view = { id: this.id, width, t: column(), count: column(), failed: column(), values: column(), mean: column(),
      min: column(), max: column(), surprise: column() };
    for (let index = 0; index < n; index += 1) {
      const at = index * SIZE;
      const { data } = this;
      const values = data[at + VALUES];
      view.t[index] = data[at + AT] * width;
      view.count[index] = data[at + COUNT];
      view.failed[index] = data[at + FAILED];
      view.values[index] = values;
      view.mean[index] = values > 0 ? data[at + SUM] / values : NaN;
      view.min[index] = values > 0 ? data[at + MIN] : NaN;
      view.max[index] = values > 0 ? data[at + MAX] : NaN;
      view.surprise[index] = data[at + SURPRISE];
    }
    return view;
  }
}

export class Aggregate {
  #step = 0;
  #all = new Track('all');
  #kinds = { requests: new Track('requests'), lines: new Track('lines'), samples: new Track('samples') };
  #series = new Map();
  #groups = new Map();
  #subjects = new Map();
  #most;
  #mostTracks;

  /** @param most occupied buckets; @param mostTracks curves of each of series, groups and subjects. */
  constructor(most = 2000, mostTracks = 600) {
    this.#most = most;
    this.#mostTracks = mostTracks;
    this.rows = 0;
    this.left = 0;
    this.from = Infinity;
    this.to = -Infinity;
  }

  /** The width of a bucket in ms. */
  get width() {
    return WIDTHS[this.#step];
  }

  /** What indices mean: as the detector tells it. */
  names({ subjects = [], series = [], groups = [] }) {
    for (const one of subjects) this.#known(this.#subjects, one.index, 'u', one);
    for (const one of series) this.#known(this.#series, one.index, 's', one);
    for (const one of groups) this.#known(this.#groups, one.index, 'g', one);
  }

  #known(map, index, letter, about) {
    const entry = map.get(index);
    if (entry) Object.assign(entry, about);
    else map.set(index, { ...about, track: map.size < this.#mostTracks ? new Track(`${letter}${index}`) : undefined });
  }

  add(columns) {
    const { time, surprise, flags, subject, group, value, value_event: owner, value_series: of } = columns;
    let next = 0;
    for (let index = 0; index < time.length; index += 1) {
      const t = time[index];
      if (t < this.from) this.from = t;
      if (t > this.to) this.to = t;
      const bucket = Math.floor(t / this.width);
      const strange = surprise[index];
      const flag = flags[index];
      const failed = (flag & FLAG.failed) !== 0;
      this.#all.event(bucket, failed, strange);
      const isRequest = (flag & FLAG.request) !== 0;
      const whole = isRequest ? this.#kinds.requests : flag & FLAG.line ? this.#kinds.lines : this.#kinds.samples;
      whole.event(bucket, failed, strange);
      if (subject[index] !== NONE) this.#subjects.get(subject[index])?.track?.event(bucket, failed, strange);
      const route = group[index] === NONE ? undefined : this.#groups.get(group[index])?.track;
      route?.event(bucket, failed, strange);
      // Values are in the order of their events.
      while (next < owner.length && owner[next] < index) next += 1;
      for (; next < owner.length && owner[next] === index; next += 1) {
        const series = this.#series.get(of[next]);
        if (!series) continue;
        series.track?.value(bucket, value[next], strange);
        if (isRequest && series.metric === 'duration_ms') {
          this.#kinds.requests.value(bucket, value[next], strange);
          route?.value(bucket, value[next], strange);
        }
      }
      if (this.#all.length > this.#most) this.#widen();
    }
    this.rows += time.length;
  }

  #widen() {
    const factor = WIDTHS[this.#step + 1] / WIDTHS[this.#step];
    if (!Number.isFinite(factor)) return;
    this.#step += 1;
    for (const track of this.#tracks()) track.widen(factor);
  }

  * #tracks() {
    yield this.#all;
    yield* Object.values(this.#kinds);
    for (const map of [this.#series, this.#groups, this.#subjects]) {
      for (const { track } of map.values()) if (track) yield track;
    }
  }

  #find(id) {
    if (id === 'all') return this.#all;
    if (this.#kinds[id]) return this.#kinds[id];
    const map = { s: this.#series, g: this.#groups, u: this.#subjects }[id[0]];
    return map?.get(Number(id.slice(1)))?.track;
  }

  /** The curve of `all`, `requests`, `lines`, `samples`, or of an entry of `list`. */
  track(id) {
    return this.#find(id)?.view(this.width);
  }

  /** What there is, each with its figures; series that are strange first, groups that are frequent first. */
  list(most = 300) {
    const labels = (subject) => this.#subjects.get(subject)?.labels ?? {};
    const told = (entry) => {
      const { track } = entry;
      return { id: track.id, subject: labels(entry.subject), count: track.count, failed: track.failed, values: track.values,
        mean: track.values > 0 ? track.sum / track.values : NaN, surprise: track.surprise };
    };
    const tracked = (map) => [...map.values()].filter(({ track }) => track && track.count + track.values > 0);
    const series = tracked(this.#series)
      .map((entry) => ({ ...told(entry), metric: entry.metric, unit: entry.unit }))
      .sort((a, b) => b.surprise - a.surprise || b.values - a.values);
    const groups = tracked(this.#groups)
      .map((entry) => ({ ...told(entry), kind: entry.kind, text: entry.text }))
      .sort((a, b) => b.count - a.count);
    return {
      series: series.slice(0, most), groups: groups.slice(0, most),
      counts: { series: this.#series.size, groups: this.#groups.size, subjects: this.#subjects.size },
      totals: Object.fromEntries(Object.entries(this.#kinds).map(([name, { count, failed }]) => [name, { count, failed }])),
      from: this.from, to: this.to, width: this.width, rows: this.rows,
    };
  }

  /** Every curve that can have moved, for the advisor. */
  * curves() {
    const labels = (subject) => this.#subjects.get(subject)?.labels ?? {};
    for (const entry of this.#series.values()) {
      if (!entry.track) continue;
      const view = entry.track.view(this.width);
      const rate = asRate(entry.metric, view);
      yield { about: 'value', name: entry.metric, unit: rate ? '1/s' : entry.unit, subject: labels(entry.subject), view: rate ?? view };
    }
    for (const entry of this.#groups.values()) {
      if (!entry.track) continue;
      const told = { name: entry.text, subject: labels(entry.subject), kind: entry.kind, view: entry.track.view(this.width) };
      yield { about: 'rate', ...told };
      if (entry.track.failed > 0 && entry.kind === 'route') yield { about: 'failed', ...told };
      if (entry.track.values > 0) yield { about: 'duration', unit: 'ms', ...told };
    }
  }
}

/**
 * The narrowest width of the ladder at which `span` ms are at most `most` buckets, which is a multiple of `unit` and no
 * narrower than `least`.
 */
export function widthFor(span, most, unit, least = 0) {
  return WIDTHS.find((width) => width >= unit && width >= least && span / width <= most && width % unit === 0) ?? WIDTHS.at(-1);
}

/**
 * What counts up and says so is shown as what is added in a second, as the detector judges it: undefined for all others.
 * After a restart a counter begins at 0 again.
 */
export function asRate(name, view) {
  if (!/_(total|count|sum|bucket)$/.test(name)) return undefined;
  const held = [...view.t.keys()].filter((index) => view.values[index] > 0);
  let falls = 0;
  const rates = held.slice(1).map((index, at) => {
    const before = held[at];
    const added = view.mean[index] - view.mean[before];
    if (added < 0) falls += 1;
    return (added < 0 ? view.mean[index] : added) / ((view.t[index] - view.t[before]) / 1000);
  });
  if (rates.length < 2 || falls > rates.length / 10) return undefined;
  const column = Float64Array.from(rates);
  const of = (field) => Float64Array.from(held.slice(1), (index) => view[field][index]);
  return { ...view, t: of('t'), count: of('count'), failed: of('failed'), values: of('values'), surprise: of('surprise'),
    mean: column, min: column, max: column };
}

/** No picture has more points than this. */
const LONGEST = 20_000;

/**
 * A curve in even buckets from `from` to `to`, for counts: where nothing happened, nothing was counted. Returns times in
 * ms and sums.
 */
export function even(view, field, from, to, width) {
  const first = Math.floor(from / width);
  const length = Math.min(LONGEST, Math.max(1, Math.floor(to / width) - first + 1));
  const t = new Float64Array(length);
  const sums = new Float64Array(length);
  for (let index = 0; index < length; index += 1) t[index] = (first + index) * width;
  for (let index = 0; index < view.t.length; index += 1) {
    const at = Math.floor(view.t[index] / width) - first;
    if (at >= 0 && at < length) sums[at] += view[field][index];
  }
  return { t, sums };
}

/** Means and extremes in buckets that are wide enough to be drawn; only those that hold values. */
export function joined(view, from, to, width) {
  const t = [];
  const mean = [];
  const min = [];
  const max = [];
  let weight = 0;
  for (let index = 0; index < view.t.length; index += 1) {
    const values = view.values[index];
    if (!(values > 0) || view.t[index] < from || view.t[index] > to) continue;
    const at = Math.floor(view.t[index] / width) * width;
    const last = t.length - 1;
    if (last >= 0 && t[last] === at) {
      mean[last] = (mean[last] * weight + view.mean[index] * values) / (weight + values);
      min[last] = Math.min(min[last], view.min[index]);
      max[last] = Math.max(max[last], view.max[index]);
      weight += values;
    } else {
      t.push(at);
      mean.push(view.mean[index]);
      min.push(view.min[index]);
      max.push(view.max[index]);
      weight = values;
    }
  }
  return { t, mean, min, max };
}
