// The detector writes the same bytes in Chromium, in Node, under wasmtime and natively.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { HALF_AN_HOUR, open, scored, test, variable } from "./browser.mjs";
import { cases, objects, score, sha256, simulate } from "./native.mjs";

/** So many events of each kind, or some more; a million is what a release is tried on, as with the other doors. */
const EVENTS = Number(process.env.WATCHPOST_PARITY_EVENTS ?? 20_000);

const NEAR = { detector: { near_misses: true } };

/** Everything that the package says of an input which comes in pieces of so many bytes. It runs in Node and in the page. */
function drive(Watchpost, { bytes, input, config }, piece) {
  const watchpost = new Watchpost(config);
  const parts = [];
  watchpost.begin(input);
  for (let at = 0; at < bytes.length; at += piece) {
    watchpost.push(bytes.subarray(at, at + piece));
    parts.push(watchpost.said());
  }
  watchpost.finish();
  parts.push(watchpost.said());
  watchpost.close();
  parts.push(watchpost.said());
  watchpost.free();
  return parts;
}

async function inNode(one, piece) {
  const folder = join(variable("WATCHPOST_SITE"), "pkg");
  const { initSync, Watchpost } = await import(pathToFileURL(join(folder, "watchpost.js")));
  initSync({ module: await readFile(join(folder, "watchpost_bg.wasm")) });
  return Buffer.concat(drive(Watchpost, { ...one, bytes: await readFile(one.file) }, piece));
}

async function inChromium(page, { file, input, config }, piece) {
  await page.evaluate(`window.drive = ${drive}`);
  const chosen = await page.evaluateHandle(() => {
    const chosen = document.createElement("input");
    chosen.type = "file";
    return chosen;
  });
  await chosen.setInputFiles(file);
  const url = new URL("pkg/watchpost.js", page.url()).href;
  const base64 = await page.evaluate(
    async ({ chosen, url, input, config, piece }) => {
      const { default: init, Watchpost } = await import(url);
      await init();
      const bytes = new Uint8Array(await chosen.files[0].arrayBuffer());
      const reader = new FileReader();
      reader.readAsDataURL(new Blob(window.drive(Watchpost, { bytes, input, config }, piece)));
      await new Promise((resolve) => reader.addEventListener("load", resolve));
      return reader.result.slice(reader.result.indexOf(",") + 1);
    },
    { chosen, url, input, config, piece },
  );
  return Buffer.from(base64, "base64");
}

test("every case gives the bytes that it gives natively", async ({ page }) => {
  const all = cases();
  assert.ok(all.length > 20, "the cases are in tests/cases");
  for (const one of all) {
    for (const piece of [1 << 30, 7, 4093]) {
      const found = await inChromium(page, one, piece);
      assert.equal(found.toString(), one.expected.toString(), `${one.name} in pieces of ${piece} bytes`);
    }
  }
});

/** A stream of the simulated shop is judged alike natively, under wasmtime, in Node, in Chromium, and on the page. */
async function judgedAlike({ page, folder, t }, stream, format) {
  const hours = Math.ceil(EVENTS / 10_000);
  const options = ["--duration", `${hours}h`, "--calm", "30m", "--anomalies", "2/hour", "--rate", "4", "--seed", "7"];
  const path = await simulate(join(folder, "input.log"), stream, format, ...options);
  const config = join(folder, "near.json");
  await writeFile(config, JSON.stringify(NEAR));
  const input = { format: { combined: "access" }[format] ?? format };
  const how = ["--input", input.format, "--config", config];

  const rows = { file: path, input: { ...input, emit: "rows" }, config: NEAR };
  const wanted = await score(path, "--scores", ...how);
  const count = wanted.reduce((count, byte) => count + (byte === 10), 0);
  assert.ok(count >= EVENTS, "there are rows to be judged");
  const hash = sha256(wanted);
  assert.equal(sha256(await score(path, "--scores", "--engine", "wasm", ...how)), hash, "wasmtime");
  assert.equal(sha256(await inNode(rows, 65_536)), hash, "Node");
  assert.equal(sha256(await inChromium(page, rows, 65_536)), hash, "Chromium");

  const told = objects(await inChromium(page, { ...rows, input: { ...input, emit: "anomalies" } }, 65_536));
  const alarms = told.filter(({ phase }) => ["onset", "worse", "near"].includes(phase));
  assert.ok(alarms.length > 0, "there are anomalies to be told");
  assert.deepEqual(alarms, objects(await score(path, ...how)), "the anomalies");
  t.diagnostic(`${count} rows, ${alarms.length} anomalies told; native, wasmtime, Node, Chromium: ${hash}`);

  // The page itself: a worker, a stream of whatever pieces, and what it makes of a file.
  await open(page, `${page.url()}?emit=all`);
  await scored(page, () => page.setInputFiles("#file", path), HALF_AN_HOUR);
  const everything = await inNode({ file: path, input: { format: "auto", emit: "all" }, config: null }, 65_536);
  assert.equal(await page.evaluate(() => window.watchpost.digest()), sha256(everything), "what the page has scored");
}

test("the page has every case judged as it is natively", { path: "?emit=all" }, async ({ page, t }) => {
  // Those that are written as the page has them written, of which the digest is known.
  const whole = cases().filter(({ input }) => input.emit === "all");
  assert.ok(whole.length > 10, "most cases are");
  for (const { name, expected } of whole) {
    await scored(page, () => page.locator("#case").selectOption(name));
    assert.equal(await page.evaluate(() => window.watchpost.digest()), sha256(expected), name);
  }
  t.diagnostic(`${whole.length} cases`);
});

test("events of any kind are judged as they are natively", (test) => judgedAlike(test, "all", "ndjson"));

test("an access log is judged as it is natively", (test) => judgedAlike(test, "requests", "combined"));

test("log lines are judged as they are natively", (test) => judgedAlike(test, "logs", "text"));
