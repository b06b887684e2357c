// Owns the detector. The page hands it a file and gets curves, verdict lines and answers to questions; rows never cross
// over. Every message is `{id, op, …}` and is answered by `{id, value}` or `{id, error}`; what happens while a run goes on
// comes as `{event, run, …}`.

import init, { Watchpost } from '../pkg/watchpost.js';
import { Aggregate } from './aggregate.js';
import { advise } from './advisor.js';
import { key } from './episodes.js';
import { Lines, lineOf } from './lines.js';
import { Source, Unreadable } from './source.js';
import { Recent, fitting } from './windows.js';

/** The page is told so often, in ms: five times a second is as often as people can follow. */
const TELL = 180;
/** The verdict lines of a run are kept up to this many bytes, to be downloaded and for their hash. */
const MOST_SAID = 512 * 1024 * 1024;
const ONSET = 2;
/** So many episodes are followed to their rows. */
const MOST_ONSETS = 5000;
/** So many rows are looked through for one that is about an episode. */
const FAR = 20_000;

const ready = init();
const decoder = new TextDecoder();
const breathe = (() => {
  // A message to oneself comes after the messages that wait: `cancel` is heard, and no timer slows the run down.
  const { port1, port2 } = new MessageChannel();
  let wake;
  port1.onmessage = () => wake?.();
  return () => new Promise((resolve) => {
    wake = resolve;
    port2.postMessage(0);
  });
})();

/** The run whose curves, lines and state can be asked for. */
let main;
let running;

class Run {
  constructor({ id, config, input, kept }) {
    this.id = id;
    this.detector = new Watchpost(config ?? null, null);
    this.input = input;
    this.keepsCurves = kept;
    this.aggregate = new Aggregate();
    this.lines = new Lines();
    this.said = [];
    this.saidBytes = 0;
    this.rows = 0;
    this.onsets = 0;
    this.recent = new Recent();
    /** Of alarms that were judged over a window: the rows in it that fit them, by episode. */
    this.windows = new Map();
    this.cancelled = false;
    this.format = input.format === 'auto' ? undefined : input.format;
  }

  async score(blob, name) {
    const source = new Source(blob, name);
    this.source = source;
    this.detector.begin(this.input);
    let told = -Infinity;
    let listed = -Infinity;
    let bytes = 0;
    const sieve = new Sieve();
    let news = { lines: [], onsets: [] };
    const tell = (read, isLast) => {
      const now = performance.now();
      // Curves are the dear part: the first ones at once, then not more often than they can be drawn.
      const withList = this.keepsCurves && (isLast || now - listed > 800);
      postMessage({ event: 'update', run: this.id, bytes, read, total: source.size, rows: this.rows, problems: sieve.problems, ...news,
        list: withList ? this.aggregate.list() : undefined });
      if (withList) listed = performance.now();
      told = performance.now();
      news = { lines: [], onsets: [] };
    };
    const take = (columns) => {
      const names = this.detector.names();
      const said = this.detector.said();
      if (this.keepsCurves) {
        this.aggregate.names(names);
        this.aggregate.add(columns);
        this.recent.names(names);
        this.recent.add(columns);
      }
      if (columns.row.length > 0) this.rows = Math.max(this.rows, columns.row[columns.row.length - 1] + 1);
      const lines = sieve.lines(said);
      this.#onsets(columns, lines, news.onsets);
      this.#keep(said);
      for (const line of lines) {
        if (!this.format && line.startsWith('{"note"')) this.format = JSON.parse(line).format;
        news.lines.push(line);
      }
    };
    let broken;
    try {
      for await (const { bytes: piece, read } of source.pieces()) {
        if (this.keepsCurves) this.lines.push(piece);
        bytes += piece.length;
        take(this.detector.push(piece));
        if (performance.now() - told > TELL) {
          tell(read, false);
          await breathe();
        }
        if (this.cancelled) break;
      }
    } catch (error) {
      // What came before the end of a file that was cut off is worth seeing.
      if (!(error instanceof Unreadable) || bytes === 0) throw error;
      broken = `${error.message} What came before that was scored.`;
    }
    if (!this.cancelled) take(this.detector.finish());
    // The state that is taken along knows nothing of an end: it can go on.
    this.state = this.detector.snapshot();
    const status = this.detector.status();
    if (!this.cancelled) this.detector.close();
    const said = this.detector.said();
    this.#keep(said);
    news.lines.push(...sieve.lines(said));
    tell(source.size, true);
    return { rows: this.rows, bytes, lines: this.lines.count, cancelled: this.cancelled, broken, status };
  }

  cancel() {
    this.cancelled = true;
    this.source?.cancel();
  }

  /**
   * Which rows episodes began with: they are what people answer about, and where the lines are looked for. Of a row that
   * raised several alarms only one is known (requests are judged when ten seconds are over, all routes at once); for the
   * others it is the row that came next.
   */
  #onsets({ row, time, flags }, lines, onsets) {
    const raised = lines.filter((line) => line.includes('"phase":"onset"'));
    if (raised.length === 0 || this.onsets > MOST_ONSETS) return;
    this.onsets += raised.length;
    const rows = new Map();
    for (let index = 0; index < row.length; index += 1) {
      if ((flags[index] & ONSET) === 0) continue;
      const told = this.detector.explain(row[index])?.told;
      if (told) rows.set(key(told), row[index]);
    }
    for (const line of raised) {
      const told = JSON.parse(line);
      const at = Date.parse(told.timestamp);
      const next = rows.has(key(told)) ? rows.get(key(told)) : row[time.findIndex((when) => when >= at)];
      if (next !== undefined) onsets.push([key(told), next]);
      if (this.keepsCurves && told.explanation.features?.window_seconds) this.windows.set(key(told), this.recent.about(told));
    }
  }

  #keep(said) {
    if (said.length === 0 || this.saidBytes > MOST_SAID) return;
    this.said.push(said);
    this.saidBytes += said.length;
  }

  /** Curves and state of this run are wanted no more. */
  free() {
    this.detector.free();
  }
}

/** The lines that are of interest to a page: a line for every row, or every row that is broken, would be too many. */
class Sieve {
  problems = 0;
  #left = { '{"problem"': 200, '{"note"': 200, '{"session"': 2000, '{"timestamp"': 50_000 };

  lines(said) {
    if (said.length === 0) return [];
    return decoder.decode(said).split('\n').filter((line) => {
      if (line === '' || line.startsWith('{"row"')) return false;
      const kind = line.slice(0, line.indexOf(':'));
      if (kind === '{"problem"') this.problems += 1;
      if (kind === '{"session"' && !line.includes('"anomaly":true')) return false;
      if (this.#left[kind] === undefined) return true;
      this.#left[kind] -= 1;
      return this.#left[kind] >= 0;
    });
  }
}

/** The lines around a row, or why there are none. */
async function linesAround(run, { episode, row, around }) {
  if (!run) return { why: 'Reading was cancelled, so the lines cannot be shown.' };
  const { blob, isTooLarge } = run.source;
  if (!blob) {
    return { why: isTooLarge ? 'The unpacked file is too large to be kept, so its lines cannot be shown. Unpack it and drop it again.'
      : 'The lines of a packed file can be shown once it has been read.' };
  }
  const lines = run.cancelled ? run.lines.whole : run.lines.count;
  const place = (of) => lineOf(of, { rows: run.rows, lines, format: run.format });
  const read = (from, end) => run.lines.read(blob, from, end);
  if (place(row) === undefined) {
    return { why: run.cancelled ? 'Reading was cancelled, so it is not known which line this row is.'
      : `Row ${row} cannot be shown: the rows of this input are not its lines.` };
  }
  const window = run.windows.get(episode);
  const marked = window ? await fitting(window, place, read) : place(row);
  const middle = marked ?? place(row);
  return { marked, seconds: window?.seconds, lines: await read(middle - around, middle + around + 1) };
}

const transfer = (value, buffers) => ({ value, buffers });

const ops = {
  async score({ id, blob, name, config, input, kept }) {
    await ready;
    const run = new Run({ id, config, input, kept });
    running = run;
    if (kept) {
      main?.free();
      main = run;
    }
    try {
      return await run.score(blob, name);
    } finally {
      running = undefined;
      if (!kept) run.free();
    }
  },
  cancel() {
    running?.cancel();
  },
  list: () => main?.aggregate.list(),
  tracks({ ids }) {
    const views = ids.map((id) => main?.aggregate.track(id));
    const buffers = views.flatMap((view) => view ? Object.values(view).filter(ArrayBuffer.isView).map(({ buffer }) => buffer) : []);
    return transfer(views, buffers);
  },
  advise: ({ from, to }) => advise(main.aggregate.curves(), { from, to, start: main.aggregate.from, width: main.aggregate.width }),
  lines: (about) => linesAround(main, about),
  explain: ({ row }) => main.detector.explain(row),
  /** A row that is about what is anomalous: the one that raised the alarm may be of another route. */
  rowOf({ fingerprint, row }) {
    for (let at = row; at < Math.min(main.rows, row + FAR); at += 1) {
      if (main.detector.explain(at)?.told?.fingerprint === fingerprint) return at;
    }
    return row;
  },
  snapshot: () => main.state,
  verdicts: () => new Blob(main.said, { type: 'application/x-ndjson' }),
  async digest() {
    const bytes = await new Blob(main.said).arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  },
  /** A small input at once, with everything that is known of each row: for the page that explains how it works. */
  async rows({ text, config, input }) {
    await ready;
    const detector = new Watchpost(config ?? null, null);
    detector.begin(input ?? null);
    const columns = [detector.push(new TextEncoder().encode(text)), detector.finish()];
    const status = detector.status();
    detector.close();
    const said = new Sieve().lines(detector.said());
    detector.free();
    const joined = (field) => columns.flatMap((part) => [...part[field]]);
    return { time: joined('time'), surprise: joined('surprise'), flags: joined('flags'), said, status };
  },
};

addEventListener('message', async ({ data }) => {
  const { id, op } = data;
  try {
    const answer = await ops[op](data);
    const { value, buffers } = answer?.buffers ? answer : { value: answer, buffers: [] };
    postMessage({ id, value }, buffers);
  } catch (error) {
    // A trap leaves the module in no state to go on with: the page starts another worker.
    const trapped = error instanceof WebAssembly.RuntimeError;
    postMessage({ id, error: { message: String(error?.message ?? error), trapped, unreadable: error instanceof Unreadable } });
  }
});
ready.then(() => postMessage({ event: 'ready' }), (error) => postMessage({ event: 'broken', message: String(error?.message ?? error) }));
