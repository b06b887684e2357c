// The playground as a server of static files has it: on loopback, below a path of its own, each answer noted.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".csv": "text/csv; charset=utf-8",
  ".gz": "application/gzip",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".log": "text/plain; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".ndjson": "application/x-ndjson",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ts": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

// Nobody serves the page from the root of a server, so what is not relative in it is not found here.
const BELOW = "/some/where/";

/** Serves a folder on a free port of loopback until `close`. */
export async function serve(folder) {
  const answers = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const answer = (status, headers = {}) => {
      answers.push({ method: request.method, path: pathname, status });
      response.writeHead(status, { "Cache-Control": "no-cache", ...headers });
    };
    const file = await found(folder, pathname);
    if (!["GET", "HEAD"].includes(request.method) || file === undefined) {
      answer(file === undefined ? 404 : 405);
      response.end();
      return;
    }
    const type = TYPES[extname(file.path)] ?? "application/octet-stream";
    answer(200, { "Content-Type": type, "Content-Length": file.size, "X-Content-Type-Options": "nosniff" });
    if (request.method === "HEAD") {
      response.end();
    } else {
      createReadStream(file.path).pipe(response);
    }
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  // Where a test ends in a way that nobody has thought of, nothing waits for the server.
  server.unref();
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    folder,
    origin,
    url: origin + BELOW,
    answers,
    /** The paths that were asked for, as the page names them. */
    asked: () => answers.map(({ path }) => path.slice(BELOW.length) || "./"),
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

async function found(folder, pathname) {
  if (!pathname.startsWith(BELOW)) {
    return undefined;
  }
  const name = normalize(decodeURIComponent(pathname.slice(BELOW.length)) || "index.html");
  if (name.startsWith("..") || name.includes(`..${sep}`)) {
    return undefined;
  }
  const path = join(folder, name);
  const about = await stat(path).catch(() => undefined);
  return about?.isFile() ? { path, size: about.size } : undefined;
}
