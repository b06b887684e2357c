// An input as a stream of bytes: a file, what was pasted, or a case; unpacked where it is packed.

/** What is unpacked is kept up to this size, so that lines can be shown again. */
export const KEEP = 512 * 1024 * 1024;

/** Something that cannot be read at all, in words for the person who dropped it. */
export class Unreadable extends Error {}

const startsWith = (bytes, ...magic) => magic.every((byte, at) => bytes[at] === byte);

/** What the first bytes say about an input: `gzip`, `plain`; throws where it cannot be read. */
export function look(bytes) {
  if (bytes.length === 0) throw new Unreadable('This is empty: there is nothing to score.');
  if (startsWith(bytes, 0x1f, 0x8b)) return 'gzip';
  const packed = [
    [[0x28, 0xb5, 0x2f, 0xfd], 'zstd', 'zstd -d'], [[0x42, 0x5a, 0x68], 'bzip2', 'bunzip2'],
    [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'xz', 'unxz'], [[0x50, 0x4b, 0x03, 0x04], 'zip', 'unzip'],
  ].find(([magic]) => startsWith(bytes, ...magic));
  if (packed) throw new Unreadable(`This is packed with ${packed[1]}, which browsers cannot unpack: unpack it with “${packed[2]}” first, or pack it with gzip.`);
  if (startsWith(bytes, 0xff, 0xfe) || startsWith(bytes, 0xfe, 0xff)) {
    throw new Unreadable('This text is in UTF-16: save it as UTF-8 first.');
  }
  const head = bytes.subarray(0, 4096);
  if (head.includes(0)) throw new Unreadable('This is a binary file: drop a log, NDJSON, CSV or another text, as it is or packed with gzip.');
  // A text in another encoding has a few bytes that are no UTF-8; what has more of them than letters is no text.
  const text = new TextDecoder().decode(head);
  const strange = text.split('\ufffd').length - 1;
  if (strange > text.length * 0.3) throw new Unreadable('This is no text: drop a log, NDJSON, CSV or another text, as it is or packed with gzip.');
  return 'plain';
}

/**
 * The bytes of a blob, piece by piece: `pieces()` yields `{bytes, read}`, `read` being how much of the blob that was.
 * When it is over, `blob` is what the bytes were read from, or undefined when that was too large to be kept.
 */
export class Source {
  #from;
  #cancelled = false;
  #reader;

  constructor(blob, name = '') {
    this.#from = blob;
    this.name = name;
    this.size = blob.size;
    this.blob = blob;
  }

  async* pieces() {
    const head = new Uint8Array(await this.#from.slice(0, 4096).arrayBuffer());
    const how = look(head);
    let read = 0;
    const counting = new TransformStream({
      transform(chunk, controller) {
        read += chunk.byteLength;
        controller.enqueue(chunk);
      },
    });
    let stream = this.#from.stream().pipeThrough(counting);
    const kept = [];
    let size = 0;
    if (how === 'gzip') {
      stream = stream.pipeThrough(new DecompressionStream('gzip'));
      this.blob = undefined;
    }
    this.#reader = stream.getReader();
    let waiting = [];
    let waits = 0;
    let first = true;
    try {
      for (;;) {
        let piece;
        try {
          piece = await this.#reader.read();
        } catch (error) {
          if (this.#cancelled) return;
          throw new Unreadable(how === 'gzip' ? damaged(error)
            : `The file cannot be read any more (${error.message}).`);
        }
        if (this.#cancelled) return;
        if (piece.value) {
          waiting.push(piece.value);
          waits += piece.value.byteLength;
        }
        // Decompression comes in small pieces; a call for each would cost more than the scoring. The first one is not
        // waited for, so that the first verdicts come at once.
        if (waits > 0 && (piece.done || first || waits >= 1 << 20)) {
          const bytes = waiting.length === 1 ? waiting[0] : concat(waiting, waits);
          if (first && how === 'gzip') look(bytes) === 'gzip' && fail('This is packed twice: unpack it once first.');
          first = false;
          if (how === 'gzip' && size <= KEEP) {
            size += bytes.length;
            // Each piece becomes a blob at once: the browser keeps those outside of the heap of this worker.
            kept.push(new Blob([bytes]));
          }
          yield { bytes, read };
          waiting = [];
          waits = 0;
        }
        if (piece.done) break;
      }
    } finally {
      // What came before it was cancelled, or cut off, can be shown as well.
      this.isTooLarge = size > KEEP;
      if (how === 'gzip' && !this.isTooLarge) this.blob = new Blob(kept);
    }
  }

  cancel() {
    this.#cancelled = true;
    this.#reader?.cancel().catch(() => {});
  }
}

/** Why unpacking ended. Browsers unpack the first of several gzip files in one, and call the others junk, each in its words. */
function damaged({ message }) {
  return /junk|after the end|past the end|trailing|extra/i.test(message)
    ? 'There is more behind the end of this gzip file, perhaps another one (files that were joined), and browsers unpack the first only: unpack it with “gunzip”, and drop what comes out.'
    : 'The gzip file is damaged or was cut off.';
}

function fail(message) {
  throw new Unreadable(message);
}

function concat(pieces, size) {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}
