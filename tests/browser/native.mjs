// The program `watchpost`, whose verdicts are the ones to be met, and what the tests score.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { variable } from "./browser.mjs";

const run = promisify(execFile);

/** The repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** What the program writes to its standard output. */
export async function watchpost(...options) {
  const { stdout } = await run(variable("WATCHPOST_PROGRAM"), options, { encoding: "buffer", maxBuffer: 1 << 30 });
  return stdout;
}

/** The verdicts of the detector on a file: on every row with `--scores`, or the episodes that begin. */
export function score(path, ...options) {
  const engine = options.includes("--engine") ? [] : ["--engine", "native"];
  return watchpost("score", "--quiet", "--output", "ndjson", ...engine, ...options, path);
}

/** Lines of the simulated shop, the same on every machine. */
export async function simulate(path, stream, format, ...options) {
  await watchpost("simulate", stream, "--quiet", "--format", format, "--output", path, ...options);
  return path;
}

/** The objects of NDJSON. */
export function objects(bytes) {
  return String(bytes)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** The cases that specify the verdicts: `tests/cases`. */
export function cases() {
  const folder = join(root, "tests", "cases");
  const formats = { "input.ndjson": "ndjson", "input.csv": "csv", "input.log": "text", "input.prom": "prometheus" };
  return readdirSync(folder).map((name) => {
    const files = readdirSync(join(folder, name));
    const read = (file) => (files.includes(file) ? JSON.parse(readFileSync(join(folder, name, file))) : undefined);
    const file = Object.keys(formats).find((file) => files.includes(file));
    return {
      name,
      file: join(folder, name, file),
      bytes: readFileSync(join(folder, name, file)),
      input: { format: formats[file], ...read("input.json") },
      config: read("config.json") ?? null,
      expected: readFileSync(join(folder, name, "expected.ndjson")),
    };
  });
}
