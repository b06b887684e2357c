// Every way in: a file that is dropped or chosen, as it is or packed, pasted text, a built-in case; and what cannot be read.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { anomalies, choose, drop, scored, settled, test } from "./browser.mjs";
import { cases, objects, score, simulate } from "./native.mjs";

const named = Object.fromEntries(cases().map((one) => [one.name, one]));
const spike = named["csv-spike"];

/** The page shows the spike of that case, and what is told of it. */
async function showsTheSpike(page) {
  assert.equal(await anomalies(page).count(), 1);
  const row = await anomalies(page).first().innerText();
  assert.match(row, /spike/);
  assert.match(row, /2026-11-20|11:30/);
  const { rows, bytes } = await page.evaluate(() => window.watchpost.timings);
  assert.equal(rows, 240);
  assert.equal(bytes, spike.bytes.length);
}

test("a file that is dropped is scored", async ({ page }) => {
  await scored(page, () => drop(page, spike.file));
  await showsTheSpike(page);
});

test("a file that is chosen is scored", async ({ page }) => {
  await choose(page, "spike.csv", spike.bytes);
  await showsTheSpike(page);
});

test("a file that is packed is scored as what is in it", async ({ page, folder }) => {
  const path = join(folder, "spike.csv.gz");
  await writeFile(path, gzipSync(spike.bytes));
  await scored(page, () => drop(page, path));
  await showsTheSpike(page);
});

test("text that is pasted is scored", async ({ page }) => {
  await page.locator("#paste").fill(String(spike.bytes));
  await scored(page, () => page.getByRole("button", { name: "Score", exact: true }).click());
  await showsTheSpike(page);
});

test("a built-in case is scored", async ({ page }) => {
  await scored(page, () => page.locator("#case").selectOption("csv-spike"));
  await showsTheSpike(page);
});

test("every built-in case can be scored, the recording too", async ({ page }) => {
  const values = await page
    .locator("#case option")
    .evaluateAll((options) => options.map(({ value }) => value).filter((value) => value !== ""));
  assert.ok(values.length > 20, "there are the cases, a series of our own and the recording");
  assert.ok(values.includes("recording"));
  for (const value of values) {
    const state = await settled(page, () => page.locator("#case").selectOption(value));
    assert.equal(state, value === "empty" ? "failed" : "done", value);
  }
});

test("another file takes the place of the first", async ({ page }) => {
  await choose(page, "spike.csv", spike.bytes);
  await choose(page, "kill.ndjson", named["patterns-in-one-episode"].bytes);
  assert.match(await anomalies(page).first().innerText(), /severe log line/);
  await choose(page, "spike.csv", spike.bytes);
  await showsTheSpike(page);
});

test("what is found is what the program finds", async ({ page, folder }) => {
  const options = ["--duration", "6h", "--seed", "3", "--anomalies", "1/hour"];
  const path = await simulate(join(folder, "access.log"), "requests", "envoy-json", ...options);
  const wanted = objects(await score(path)).filter(({ phase }) => phase === "onset");
  assert.ok(wanted.length >= 10);
  await scored(page, () => page.setInputFiles("#file", path));
  assert.equal(await anomalies(page).count(), wanted.length);
  const shown = await anomalies(page).locator("td.when").allInnerTexts();
  const times = wanted.map(({ timestamp }) => timestamp.slice(11, 19));
  assert.deepEqual(shown.map((text) => /\d\d:\d\d:\d\d/.exec(text)[0]).sort(), times.sort());
});

test("reading can be cancelled, and another file scored then", async ({ page, folder }) => {
  const options = ["--duration", "24h", "--rate", "14"];
  const path = await simulate(join(folder, "access.log"), "requests", "combined", ...options);
  const state = await settled(page, async () => {
    await page.setInputFiles("#file", path);
    await page.waitForFunction(() => document.documentElement.dataset.state === "reading");
    assert.ok(await page.getByRole("progressbar").isVisible(), "the progress is shown");
    await page.getByRole("button", { name: "Cancel" }).click();
  });
  assert.equal(state, "cancelled");
  assert.match(await page.locator("#status").innerText(), /cancel/i);
  assert.ok(await page.getByRole("button", { name: "Cancel" }).isDisabled(), "there is nothing to be cancelled");
  await choose(page, "spike.csv", spike.bytes);
  await showsTheSpike(page);
});

test("another file can be given while one is read", async ({ page, folder }) => {
  const options = ["--duration", "24h", "--rate", "14"];
  const path = await simulate(join(folder, "access.log"), "requests", "combined", ...options);
  await page.setInputFiles("#file", path);
  await page.waitForFunction(() => document.documentElement.dataset.state === "reading" && window.watchpost.timings.rows > 0);
  await choose(page, "spike.csv", spike.bytes);
  await showsTheSpike(page);
});

test("bad lines among good ones are named and left out", async ({ page }) => {
  const lines = String(named["rules-metrics"].bytes).trimEnd().split("\n");
  const bad = [...lines.slice(0, 100), '{"host": "a"}', '{"host": "b"}', ...lines.slice(100)];
  await choose(page, "some.ndjson", `${bad.join("\n")}\n`);
  assert.equal(await page.evaluate(() => window.watchpost.timings.rows), bad.length);
  const problems = page.getByRole("region", { name: "Rows that could not be read" });
  await problems.waitFor();
  const told = await problems.getByRole("row").allInnerTexts();
  assert.equal(told.length, 3, "a head and two rows");
  assert.match(told[1], /^101\b.*neither a message nor a number/s);
  assert.match(told[2], /^102\b/);
});

test("what cannot be read is told, and the page goes on", async ({ page }) => {
  const noise = Buffer.from(Array.from({ length: 10_000 }, (_, index) => (index * index * 31 + index * 7) % 256));
  for (const [name, content, wanted] of [
    ["program.bin", noise, /binary/i],
    ["nothing.log", "", /empty/i],
    ["cut.csv.gz", gzipSync(Buffer.from(String(spike.bytes).repeat(400))).subarray(0, 300), /gzip|damaged|cut/i],
    ["joined.csv.gz", Buffer.concat([gzipSync(spike.bytes), gzipSync(spike.bytes)]), /another one.*gunzip/],
    ["page.zip", Buffer.from("PK\u0003\u0004 and so on"), /packed with zip/],
  ]) {
    await page.setInputFiles("#file", { name, mimeType: "", buffer: Buffer.from(content) });
    await page.getByRole("alert").filter({ hasText: wanted }).waitFor();
  }
  await choose(page, "spike.csv", spike.bytes);
  await showsTheSpike(page);
  assert.deepEqual((await page.locator("#error").allInnerTexts()).join("").trim(), "", "old errors are gone");
});

test("a file that cannot be read takes nothing away", async ({ page }) => {
  await choose(page, "spike.csv", spike.bytes);
  await page.setInputFiles("#file", { name: "nothing.log", mimeType: "", buffer: Buffer.alloc(0) });
  await page.getByRole("alert").filter({ hasText: /nothing.log.*empty.*still shown/ }).waitFor();
  await showsTheSpike(page);
});

const HOSTILE = [
  "<img src=x onerror=\"window.hacked=1\">",
  "<script>window.hacked=2</script>",
  "<svg onload='window.hacked=3'>",
  "</pre></td><iframe src=javascript:parent.hacked=4></iframe>",
  "<a href=\"javascript:window.hacked=5\">here</a>",
];

test("markup in log lines, names and labels is shown and never run", async ({ page }) => {
  const lines = HOSTILE.flatMap((markup, kind) =>
    Array.from({ length: 240 }, (_, index) => ({
      time: new Date(Date.UTC(2026, 10, 20, 8, 0, 0) + index * 60_000 + kind).toISOString(),
      service: markup,
      [`size ${markup}`]: (index === 200 ? 900 : 20) + ((index * 7919) % 13) / 10,
    })),
  );
  const said = HOSTILE.flatMap((markup, kind) =>
    Array.from({ length: 200 }, (_, index) => ({
      time: new Date(Date.UTC(2026, 10, 20, 8, 0, 0) + index * 70_000 + kind).toISOString(),
      service: markup,
      level: index === 180 ? "fatal" : "info",
      message: `${index === 180 ? "out of memory: killed process" : "served"} ${markup} in ${index} ms`,
    })),
  );
  const all = [...lines, ...said].sort((a, b) => a.time.localeCompare(b.time));
  await choose(page, `${HOSTILE[0].replaceAll("\"", "'")}.ndjson`, all.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const count = await anomalies(page).count();
  assert.ok(count >= HOSTILE.length, `${count} anomalies`);
  let shown = "";
  for (let index = 0; index < Math.min(count, 12); index += 1) {
    await anomalies(page).nth(index).click();
    await page.waitForFunction(() => document.querySelector("#detail").innerText.includes("Around"));
    shown += await page.locator("#detail").innerText();
  }
  shown += await page.locator("main").innerText();
  for (const markup of HOSTILE) {
    assert.ok(shown.includes(markup), `${markup} is shown as it is`);
  }
  assert.equal(await page.evaluate(() => window.hacked), undefined, "nothing of it has run");
  assert.equal(await page.locator("main iframe, main script, main [onerror], main [onload], main [src=x]").count(), 0);
  assert.equal(await page.locator('a[href^="javascript:"]').count(), 0);
});
