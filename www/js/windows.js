// Requests are judged when a window is over, and the row that this is told with may be of any route: which rows of the
// window an alarm is really about.

/** So many of the last rows are kept to look back at. */
const MOST = 50_000;
/** So many rows of a window may stand for it. */
const BEST = 100;
/** Rows come a little out of order. */
const LATE = 60_000;
const FAILED = 4;
const REQUEST = 32;
const NONE = 0xffffffff;

/** What a row has to have and by how much the best of them stand out; kinds that are not here fit no single row. */
const BY = {
  errors: 'failed', retry_storm: 'failed', latency: 'duration_ms', latency_spread: 'duration_ms', response_size: 'bytes',
  path_scan: 'last', traffic_surge: 'last',
};

export class Recent {
  #pieces = [];
  #rows = 0;
  #routes = new Map();
  #metrics = new Map();

  names({ groups = [], series = [] }) {
    for (const { index, kind, text } of groups) if (kind === 'route') this.#routes.set(index, text);
    for (const { index, metric } of series) this.#metrics.set(index, metric);
  }

  add(columns) {
    if (columns.row.length === 0) return;
    this.#pieces.push(columns);
    this.#rows += columns.row.length;
    while (this.#pieces.length > 2 && this.#rows - this.#pieces[0].row.length >= MOST) this.#rows -= this.#pieces.shift().row.length;
  }

  /** The rows of its window that fit an alarm, those that show it best first, and what their lines have to hold. */
  about(told) {
    const { window_seconds: seconds } = told.explanation.features;
    const end = Date.parse(told.timestamp);
    const { method, route, upstream, client } = told.subject;
    const by = BY[told.kind];
    const found = [];
    if (by) {
      const isFew = told.explanation.contributions[0]?.observed < 1;
      for (const piece of this.#pieces.toReversed()) {
        const values = by === 'duration_ms' || by === 'bytes' ? this.#values(piece, by) : undefined;
        const { row, time, flags, group } = piece;
        for (let at = row.length - 1; at >= 0; at -= 1) {
          if (time[at] >= end || time[at] < end - seconds * 1000 || (flags[at] & REQUEST) === 0) continue;
          if (by === 'failed' && (flags[at] & FAILED) === 0) continue;
          if (route && (group[at] === NONE || ![`${method} ${route}`, route].includes(this.#routes.get(group[at])))) continue;
          if (values && values[at] === undefined) continue;
          found.push([row[at], values ? values[at] * (by === 'bytes' && isFew ? -1 : 1) : row[at]]);
        }
        if (time.length > 0 && time[0] < end - seconds * 1000 - LATE) break;
      }
    }
    found.sort((a, b) => b[1] - a[1]);
    // Columns know the route; whose request it was only the line itself tells.
    const holds = [client, !route && upstream].filter(Boolean);
    const most = holds.length > 0 ? 20 * BEST : BEST;
    return { seconds, rows: found.slice(0, most).map(([row]) => row), holds, isMissing: told.kind === 'path_scan' };
  }

  #values({ row, value_event: owner, value_series: series, value }, metric) {
    const values = new Array(row.length);
    for (let at = 0; at < owner.length; at += 1) if (this.#metrics.get(series[at]) === metric) values[owner[at]] = value[at];
    return values;
  }
}

/** The line that stands for a window, or undefined where none fits. `place` tells the line of a row, `read` reads lines. */
export async function fitting({ rows, holds, isMissing }, place, read) {
  if (rows.length === 0) return undefined;
  if (holds.length === 0) return place(rows[0]);
  const lines = rows.map(place).filter((line) => line !== undefined);
  const first = lines.reduce((least, line) => Math.min(least, line), Infinity);
  const last = lines.reduce((most, line) => Math.max(most, line), -Infinity);
  const texts = new Map((await read(first, last + 1)).map(({ line, text }) => [line, text]));
  const fits = lines.filter((line) => holds.every((part) => texts.get(line)?.includes(part)));
  return (isMissing && fits.find((line) => /\b404\b/.test(texts.get(line)))) || (isMissing ? undefined : fits[0]);
}
