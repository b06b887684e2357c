// Where the lines of an input begin, so that those around an anomaly can be read again without keeping them all.

const EVERY = 1000;
const NEWLINE = 10;
/** Of a line that is longer only the beginning is shown. */
const LONGEST = 4000;

export class Lines {
  /** The offset of line 0, 1000, 2000, … */
  #offsets = [0];
  #bytes = 0;
  #newlines = 0;
  #lastByte = NEWLINE;

  /** Takes the next bytes of the input. */
  push(bytes) {
    let at = bytes.indexOf(NEWLINE);
    while (at !== -1) {
      this.#newlines += 1;
      if (this.#newlines % EVERY === 0) this.#offsets.push(this.#bytes + at + 1);
      at = bytes.indexOf(NEWLINE, at + 1);
    }
    this.#bytes += bytes.length;
    if (bytes.length > 0) this.#lastByte = bytes[bytes.length - 1];
  }

  /** How many lines there are; the last one may lack its end. */
  get count() {
    return this.#newlines + (this.#lastByte === NEWLINE ? 0 : 1);
  }

  /** How many of them have their end: those are rows already, while more may come. */
  get whole() {
    return this.#newlines;
  }

  /** The lines from `first` to before `end`, out of the blob that was pushed: `[{line, text}]`, lines from 0. */
  async read(blob, first, end) {
    const from = Math.max(0, first);
    const mark = Math.min(Math.floor(from / EVERY), this.#offsets.length - 1);
    const to = Math.min(end, this.count);
    const endMark = Math.ceil(to / EVERY);
    const stop = endMark < this.#offsets.length ? this.#offsets[endMark] : this.#bytes;
    const bytes = new Uint8Array(await blob.slice(this.#offsets[mark], stop).arrayBuffer());
    const decoder = new TextDecoder();
    const lines = [];
    let line = mark * EVERY;
    let begin = 0;
    while (begin < bytes.length && line < to) {
      const found = bytes.indexOf(NEWLINE, begin);
      const close = found === -1 ? bytes.length : found;
      if (line >= from) {
        const text = decoder.decode(bytes.subarray(begin, Math.min(close, begin + LONGEST)));
        lines.push({ line, text: text.replace(/\r$/, '') + (close - begin > LONGEST ? ' …' : '') });
      }
      begin = close + 1;
      line += 1;
    }
    return lines;
  }
}

/** In these formats every line is a row, whatever it holds. */
const BY_LINE = new Set(['text', 'logfmt', 'syslog', 'access', 'envoy', 'kubernetes', 'prometheus']);

/**
 * Which line a row is, where that can be told: rows are lines, but for the header of a CSV file. Where lines and rows
 * disagree otherwise (an object that is spread over several lines, a request of OTLP), it cannot.
 */
export function lineOf(row, { rows, lines, format }) {
  if (BY_LINE.has(format)) return row;
  const header = format === 'csv' || (format === undefined && lines === rows + 1) ? 1 : 0;
  return lines === rows + header ? row + header : undefined;
}
