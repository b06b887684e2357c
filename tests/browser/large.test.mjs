// 100 MB: the page stays usable, and what it finds is what the program finds. How long it takes is told, and no test.

import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { HALF_AN_HOUR, anomalies, drop, scored, test } from "./browser.mjs";
import { objects, score, simulate } from "./native.mjs";

/** The most memory that the processes of pages had, as Linux counts it, in MB. */
async function memory(context) {
  const session = await context.browser().newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const renderers = processInfo.filter(({ type }) => type === "renderer");
  const peaks = await Promise.all(
    renderers.map(async ({ id }) => {
      const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "");
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
    }),
  );
  return Math.max(...peaks);
}

async function readAsAWhole({ page, context, folder, t }, stream, format, rate) {
  const options = ["--duration", "24h", "--calm", "6h", "--anomalies", "24/day", "--rate", rate];
  const path = await simulate(join(folder, "input.log"), stream, format, ...options);
  const { size } = await stat(path);
  assert.ok(size >= 100e6, `${size} bytes are not 100 MB`);
  const lines = (await readFile(path)).reduce((lines, byte) => lines + (byte === 10), 0);

  const idle = await memory(context);
  await scored(
    page,
    async () => {
      await drop(page, path);
      await page.waitForFunction(() => document.documentElement.dataset.state === "reading");
      // It listens while it reads: a page that is frozen would hear of this afterwards.
      await page.evaluate(() => {
        const { dataset } = document.documentElement;
        document.querySelector("#scheme").addEventListener("click", () => (window.heard = dataset.state), { once: true });
      });
      await page.locator("#scheme").click();
      assert.equal(await page.evaluate(() => window.heard), "reading", "what the page did when it was asked for something");
    },
    HALF_AN_HOUR,
  );
  const { timings, probe } = await page.evaluate(() => ({ timings: window.watchpost.timings, probe: window.probe }));
  assert.equal(timings.bytes, size);
  assert.equal(timings.rows, lines);
  assert.ok(timings.dropped <= timings.firstVerdict && timings.firstVerdict <= timings.done, "the first verdict comes first");
  assert.ok(probe.frames > 0, "the page was drawn while it read");
  const found = objects(await score(path)).filter(({ phase }) => phase === "onset");
  assert.ok(found.length > 0, "something is found natively");
  assert.equal(await anomalies(page).count(), found.length, "as many anomalies as the program finds");

  const seconds = (timings.done - timings.dropped) / 1000;
  const longest = Math.max(0, ...probe.longTasks);
  t.diagnostic(
    `${(size / 1e6).toFixed(0)} MB, ${lines} lines: first verdicts after ${(timings.firstVerdict - timings.dropped).toFixed(0)} ms, ` +
      `all after ${seconds.toFixed(1)} s (${(size / 1e6 / seconds).toFixed(0)} MB/s), longest task of the main thread ` +
      `${longest.toFixed(0)} ms of ${probe.longTasks.length} above 50 ms, ${probe.frames} frames, ` +
      `memory of the page at most ${(await memory(context)).toFixed(0)} MB (${idle.toFixed(0)} MB before)`,
  );
}

test("100 MB of access log leave the page usable", (test) => readAsAWhole(test, "requests", "combined", "7.1"));

test("100 MB of text log leave the page usable", (test) => readAsAWhole(test, "logs", "text", "10.9"));
