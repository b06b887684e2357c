// A link that carries a configuration, and where asked for the data, behind the `#`: browsers send that part nowhere.

const PREFIX = 'w1=';
/** Longer links are cut by mail programs and chats. */
export const LONGEST = 100_000;
/** What may come out of a link: it may have been made to fill the memory. */
const LARGEST = 8 * 1024 * 1024;

async function through(stream, bytes, most = Infinity) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const pieces = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > most) {
      await reader.cancel();
      throw new Error('the link holds more than 8 MB');
    }
    pieces.push(value);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

function toText(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function toBytes(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}

/** `{config, input, data: {name, text}, case}` as a fragment without its `#`. */
export async function encode(content) {
  const json = new TextEncoder().encode(JSON.stringify(content));
  return PREFIX + toText(await through(new CompressionStream('deflate-raw'), json));
}

/** The content of a fragment, undefined where it is none of ours; throws where it is ours and damaged. */
export async function decode(fragment) {
  const text = fragment.replace(/^#/, '');
  if (!text.startsWith(PREFIX)) return undefined;
  let bytes;
  try {
    bytes = await through(new DecompressionStream('deflate-raw'), toBytes(text.slice(PREFIX.length)), LARGEST);
    const content = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return content && typeof content === 'object' ? content : undefined;
  } catch (error) {
    throw new Error(`the link is damaged or was cut off (${error.message})`);
  }
}
