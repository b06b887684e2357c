// What people do with what they see: another budget, other settings, answers, a comparison; and what they take along.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { anomalies, choose, open, scored, test, variable } from "./browser.mjs";
import { cases, objects, score, simulate, watchpost } from "./native.mjs";

const run = promisify(execFile);
const named = Object.fromEntries(cases().map((one) => [one.name, one]));
const spike = named["csv-spike"];

/** An access log with near misses, scored by the page. */
async function incidents(page, folder) {
  const options = ["--duration", "6h", "--seed", "3", "--anomalies", "1/hour"];
  const path = await simulate(join(folder, "access.log"), "requests", "envoy-json", ...options);
  await scored(page, () => page.setInputFiles("#file", path));
  return path;
}

/** Saves what a press of this button lets the browser download. */
async function downloaded(page, button, folder) {
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  const path = join(folder, download.suggestedFilename());
  await download.saveAs(path);
  // Chromium drops a page's eleventh download within a second, without a word. No hand is so fast.
  await page.waitForTimeout(120);
  return path;
}

/** Takes along what the page has for this host: the file that is shown, those it needs, and the module. */
async function exported(page, target, folder) {
  await page.locator("#export-target").selectOption(target);
  const path = await downloaded(page, page.getByRole("button", { name: "Download", exact: true }), folder);
  assert.equal(await readFile(path, "utf8"), await page.locator("#export-text").textContent());
  for (const file of await page.locator("wp-export .files button").all()) {
    await downloaded(page, file, folder);
  }
  await downloaded(page, page.locator("wp-export .files a"), folder);
  return path;
}

test("another budget shows at once what would fire", async ({ page, folder }) => {
  await incidents(page, folder);
  const budget = page.getByRole("slider", { name: /false alarms/i });
  const told = page.locator('output[for="budget"]');
  const counted = {};
  await budget.focus();
  await page.keyboard.press("Home");
  for (let steps = 0, before; before !== (await told.innerText()); steps += 1) {
    assert.ok(steps < 500, "the slider has an end");
    before = await told.innerText();
    counted[before] = await anomalies(page).count();
    await page.keyboard.press("ArrowRight");
  }
  const counts = Object.values(counted);
  assert.deepEqual(counts, counts.toSorted((a, b) => a - b), "the larger the budget, the more");
  assert.ok(counts[0] < counts.at(-1), "it has an effect");
  // `watchpost report` counts in the same way.
  const verdicts = await downloaded(page, page.getByRole("button", { name: /NDJSON/ }), folder);
  const { budgets } = JSON.parse(await watchpost("report", "--output", "json", verdicts));
  const inWords = { 0.01: "one in 100 days", 0.1: "one in 10 days", 1: "one a day" };
  const compared = budgets.rows.filter(({ false_alarms_per_day: budget }) => budget in inWords);
  assert.equal(compared.length, 3);
  for (const { false_alarms_per_day: budget, alarms } of compared) {
    assert.equal(counted[inWords[budget]], alarms, `alarms with ${budget} a day`);
  }
});

test("what moved most in a window is told", async ({ page }) => {
  await scored(page, () => page.locator("#case").selectOption("recording"));
  const moved = page.locator("wp-moved");
  assert.equal(await moved.getByRole("listitem").count(), 0, "nothing before there is a window");
  await anomalies(page).filter({ hasText: "path scan" }).first().click();
  await page.getByRole("button", { name: "Show on timeline" }).click();
  await moved.getByRole("listitem").first().waitFor();
  const zoomed = await anomalies(page).count();
  assert.ok(zoomed > 0, "what is in the window is listed");
  // With the keyboard as well: a window of half the time, and all of it again.
  await page.getByRole("button", { name: "Reset" }).click();
  const all = await anomalies(page).count();
  assert.ok(zoomed < all);
  await page.getByRole("group", { name: /^Timeline/ }).focus();
  await page.keyboard.press("+");
  await moved.getByRole("listitem").first().waitFor();
  assert.ok((await anomalies(page).count()) < all);
  await page.keyboard.press("Escape");
  assert.equal(await anomalies(page).count(), all);
});

test("a window is chosen by dragging", async ({ page }) => {
  await scored(page, () => page.locator("#case").selectOption("recording"));
  const all = await anomalies(page).count();
  const plot = page.locator("wp-timeline .u-over").first();
  await plot.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await plot.boundingBox();
  await page.mouse.move(x + width * 0.5, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.6, y + height / 2, { steps: 5 });
  await page.mouse.up();
  const reset = page.getByRole("button", { name: "Reset" });
  await page.waitForFunction((all) => document.querySelectorAll("#anomalies tbody tr").length < all, all);
  await reset.click();
  assert.equal(await anomalies(page).count(), all);
});

test("other settings are scored again", async ({ page, folder }) => {
  const path = await incidents(page, folder);
  const settings = page.locator("#settings");
  await settings.getByLabel("False alarms a day").fill("5");
  await settings.getByLabel("False alarms a day").blur();
  await scored(page, () => settings.getByRole("button", { name: /score again/i }).click());
  const config = join(folder, "config.json");
  await writeFile(config, JSON.stringify({ detector: { false_alarms_per_day: 5 } }));
  const wanted = objects(await score(path, "--config", config)).filter(({ phase }) => phase === "onset");
  assert.equal(await anomalies(page).count(), wanted.length);
});

test("two configurations are compared", async ({ page, folder }) => {
  await incidents(page, folder);
  const compare = page.locator("wp-compare");
  const before = await anomalies(page).count();
  await compare.getByRole("button", { name: /score with b/i }).click();
  const added = compare.getByRole("list", { name: "Only in B" });
  await added.waitFor();
  assert.ok((await added.getByRole("listitem").count()) > 0, "ten times the budget has more alarms");
  const both = compare.getByRole("list", { name: "In both" });
  assert.equal(await both.getByRole("listitem").count(), before, "those of A are in B");
});

test("an answer shows what it would change", async ({ page }) => {
  // The same happens twice: who says of the first that it is fine does not hear of the second.
  const rows = Array.from({ length: 1200 }, (_, minute) => {
    const time = new Date(Date.UTC(2026, 10, 20, 0, minute)).toISOString();
    const value = [500, 900].includes(minute) ? 64 : 20 + ((minute * 7919) % 30) / 10;
    return `${time},shop,${value}\n`;
  });
  await choose(page, "twice.csv", `time,service,latency_ms\n${rows.join("")}`);
  assert.equal(await anomalies(page).count(), 2);
  const compare = page.locator("wp-compare");
  await anomalies(page).filter({ hasText: "08:20:00" }).click();
  const fine = page.getByRole("button", { name: "This is fine" });
  assert.equal(await fine.getAttribute("aria-pressed"), "false");
  await fine.click();
  await compare.getByText(/1 vanish/).waitFor();
  assert.equal(await fine.getAttribute("aria-pressed"), "true");
  assert.doesNotMatch(await compare.innerText(), /undefined/);
  // Another press takes it back.
  await fine.click();
  await compare.getByText(/vanish/).waitFor({ state: "detached" });
  assert.equal(await fine.getAttribute("aria-pressed"), "false");
  await page.getByRole("button", { name: "This matters" }).click();
  await compare.getByText(/with 1 answer: \d/i).waitFor();
});

test("Envoy takes the exported configuration", { skip: !process.env.WATCHPOST_ENVOY && "there is no Envoy" }, async (test) => {
  const { page, folder } = test;
  await scored(page, () => page.locator("#case").selectOption("recording"));
  const envoy = variable("WATCHPOST_ENVOY");
  for (const learned of [false, true]) {
    const taken = join(folder, String(learned));
    await mkdir(taken);
    if (learned) {
      await page.getByLabel(/with what was learned/).check();
      await page.waitForFunction(() => document.querySelector("#export-text").textContent.includes("warm_start"));
    }
    const path = await exported(page, "envoy", taken);
    assert.deepEqual(
      await readFile(join(taken, "watchpost-envoy.wasm")),
      await readFile(variable("WATCHPOST_ENVOY_MODULE")),
      "the module is the one that is tested",
    );
    const { stdout, stderr } = await run(envoy, ["--mode", "validate", "-c", path], { cwd: taken, maxBuffer: 1 << 26 });
    assert.match(stdout + stderr, /configuration '.*' OK/);
  }
});

test("the exported command line finds what the page has found", async ({ page, folder }) => {
  const path = await incidents(page, folder);
  const budget = page.locator("#settings").getByLabel("False alarms a day");
  await budget.fill("2");
  await budget.blur();
  await scored(page, () => page.getByRole("button", { name: /score again/i }).click());
  const count = await anomalies(page).count();
  const script = await exported(page, "cli", folder);
  await symlink(variable("WATCHPOST_PROGRAM"), join(folder, "watchpost"));
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
  const said = await run("sh", [script], { cwd: folder, env, maxBuffer: 1 << 26 }).then(
    () => assert.fail("the exit code is 3 when there are alarms"),
    ({ code, stdout }) => ({ code, stdout }),
  );
  assert.equal(said.code, 3);
  assert.equal(said.stdout.match(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /gm).length, count, `of ${path}`);
});

test("everything that is exported is complete", async ({ page, folder }) => {
  await choose(page, "spike.csv", spike.bytes);
  for (const target of ["envoy", "vector", "fluent-bit", "cli"]) {
    for (const learned of [false, true]) {
      await page.getByLabel(/with what was learned/).setChecked(learned);
      const taken = join(folder, `${target}-${learned}`);
      await mkdir(taken);
      await page.locator("#export-target").selectOption(target);
      // What was learned comes from the worker.
      await page.locator("wp-export:not([aria-busy])").waitFor();
      const shown = await page.locator("wp-export").innerText();
      assert.equal(/warm_start|watchpost\.state/.test(shown), learned || target === "vector");
      const path = await exported(page, target, taken);
      const text = await readFile(path, "utf8");
      assert.doesNotMatch(text, /undefined|NaN|\[object/);
      const steps = await page.locator("wp-export .steps").innerText();
      for (const [name] of (text + steps).matchAll(/\bwatchpost[\w.-]*\.(?:wasm|json|state)\b/g)) {
        const isMade = name === "watchpost-ours.wasm" || (target === "vector" && name === "watchpost.state");
        if (!isMade) {
          await copyFile(join(taken, name), join(taken, `${name}.copy`));
        }
      }
    }
  }
});

test("what was learned is left out where it is unticked before it has come", async ({ page, folder }) => {
  await choose(page, "spike.csv", spike.bytes);
  const exported = page.locator("wp-export");
  await page.locator("#export-learned").evaluate((box) => {
    box.click();
    box.click();
  });
  // The worker answers in turn: when it has told the verdicts, it has told the state.
  await downloaded(page, page.getByRole("button", { name: /NDJSON/ }), folder);
  await page.locator("wp-export:not([aria-busy])").waitFor();
  assert.doesNotMatch(await exported.innerText(), /warm_start/);
  await page.locator("#export-learned").check();
  await exported.getByText(/warm_start/).first().waitFor();
});

test("verdicts can be taken along as NDJSON and as CSV", async ({ page, folder }) => {
  const path = await incidents(page, folder);
  const ndjson = await downloaded(page, page.getByRole("button", { name: /NDJSON/ }), folder);
  const told = objects(await readFile(ndjson));
  const near = join(folder, "near.json");
  await writeFile(near, JSON.stringify({ detector: { near_misses: true } }));
  const begun = ({ phase }) => ["onset", "worse", "near"].includes(phase);
  assert.deepEqual(told.filter(begun), objects(await score(path, "--config", near)));
  assert.ok(told.some(({ phase }) => phase === "end" || phase === "open"), "their ends are told as well");
  const csv = await readFile(await downloaded(page, page.getByRole("button", { name: /CSV/ }), folder), "utf8");
  assert.equal(csv.trim().split("\r\n").length, 1 + (await anomalies(page).count()));
});

test("a link carries the configuration, and the data only where that is asked for", async ({ page, context, site }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await choose(page, "spike.csv", spike.bytes);
  const budget = page.locator("#settings").getByLabel("False alarms a day");
  await budget.fill("7");
  await budget.blur();
  const link = async () => {
    await page.getByRole("button", { name: "Copy link" }).click();
    await page.waitForFunction(() => location.hash.length > 1);
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const bare = await link();
  assert.ok(bare.startsWith(`${site.url}#`), bare);
  const withData = page.getByLabel(/with the data/);
  await withData.check();
  await page.evaluate(() => history.replaceState(null, "", location.pathname));
  const full = await link();
  assert.ok(full.length > bare.length + 500, "the data is in it");

  const other = await context.newPage();
  await open(other, bare);
  assert.equal(await other.locator("#settings").getByLabel("False alarms a day").inputValue(), "7");
  assert.equal(await other.evaluate(() => document.documentElement.dataset.state), "idle", "there is no data in it");
  const third = await context.newPage();
  await open(third, full);
  await third.waitForFunction(() => document.documentElement.dataset.state === "done");
  assert.equal(await third.locator("#settings").getByLabel("False alarms a day").inputValue(), "7");
  assert.equal((await third.evaluate(() => window.watchpost.timings)).rows, 240);
  for (const { path } of site.answers) {
    assert.ok(!path.includes("w1="), "the fragment stays in the browser");
  }
  const broken = await context.newPage();
  await open(broken, `${full.slice(0, 200)}`);
  await broken.waitForFunction(() => document.querySelector("#error").innerText.includes("link"));
});
