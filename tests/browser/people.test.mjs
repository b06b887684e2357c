// For everybody: without a mouse, with a screen reader, in the light and in the dark, on a telephone.

import assert from "node:assert/strict";

import { anomalies, choose, scored, test, violations } from "./browser.mjs";
import { cases } from "./native.mjs";

const named = Object.fromEntries(cases().map((one) => [one.name, one]));
const spike = named["csv-spike"];

/** Presses Tab until what has the focus is matched, and fails where it is never reached or cannot be seen on the way. */
async function tabTo(page, selector) {
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate((selector) => {
      const { activeElement } = document;
      const shown = activeElement.matches("input[type=file]") ? activeElement.closest("label") ?? activeElement : activeElement;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(shown);
      const isMarked = (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
      return { isThere: activeElement.matches(selector), isMarked, what: activeElement.outerHTML.slice(0, 120) };
    }, selector);
    assert.ok(found.isMarked, `the focus can be seen on ${found.what}`);
    if (found.isThere) {
      return;
    }
  }
  assert.fail(`${selector} is not reached with Tab`);
}

test("everything can be done with the keyboard", async ({ page }) => {
  await tabTo(page, "#paste");
  await page.keyboard.insertText(String(named["csv-counters"].bytes));
  await tabTo(page, "button");
  await scored(page, () => page.keyboard.press("Enter"));
  assert.ok((await anomalies(page).count()) > 0);
  await tabTo(page, "#anomalies tbody tr, #anomalies tbody tr *");
  const text = await page.evaluate(() => document.activeElement.closest("tr").innerText);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector('#anomalies tbody tr[aria-selected="true"]') !== null);
  const chosen = page.locator('#anomalies tbody tr[aria-selected="true"]');
  assert.equal(await chosen.count(), 1);
  assert.equal(await chosen.innerText(), text);
  assert.match(await page.locator("#detail").innerText(), /expected/i);
  assert.ok(await page.evaluate(() => document.activeElement !== document.body), "the focus is not lost");
});

test("the arrow keys move through the anomalies", async ({ page }) => {
  await scored(page, () => page.locator("#case").selectOption("recording"));
  const count = await anomalies(page).count();
  assert.ok(count > 2, `${count} anomalies of the recording`);
  await tabTo(page, "#anomalies tbody tr, #anomalies tbody tr *");
  const index = () => page.evaluate(() => document.activeElement.closest("tr").sectionRowIndex);
  const first = await index();
  await page.keyboard.press("ArrowDown");
  assert.equal(await index(), first + 1);
  await page.keyboard.press("ArrowUp");
  assert.equal(await index(), first);
  await page.keyboard.press("End");
  assert.equal(await index(), count - 1);
  await page.keyboard.press("Home");
  assert.equal(await index(), 0);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll("#anomalies tbody tr")[1].ariaSelected === "true");
  // One stop for the whole table, as with any grid.
  assert.equal(await page.locator('#anomalies tbody [tabindex="0"]').count(), 1);
});

test("what happens is announced", async ({ page }) => {
  const status = page.locator("#status");
  assert.equal(await status.getAttribute("role"), "status");
  const before = await status.innerText();
  await choose(page, "spike.csv", spike.bytes);
  const after = await status.innerText();
  assert.notEqual(after, before);
  assert.match(after, /\b1 anomal|\bone anomal|\b1 alarm/i);
  const detail = page.locator("#detail");
  assert.equal(await detail.getAttribute("aria-live"), "polite");
  await anomalies(page).first().click();
  await page.waitForFunction(() => /95[.,]5/.test(document.querySelector("#detail").innerText));
  assert.equal(await page.locator("#error").getAttribute("role"), "alert");
});

test("what a screen reader names has a name", async ({ page }) => {
  assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
  for (const landmark of ["banner", "main", "contentinfo"]) {
    assert.equal(await page.getByRole(landmark).count(), 1, landmark);
  }
  assert.ok((await page.getByLabel(/case/i).count()) > 0);
  assert.ok((await page.getByRole("textbox", { name: /paste/i }).count()) > 0);
  await choose(page, "spike.csv", spike.bytes);
  const table = page.locator("#anomalies");
  assert.match(await table.ariaSnapshot(), /(table|grid) "Anomalies/);
  assert.ok((await table.getByRole("columnheader").count()) >= 4);
  assert.ok((await page.getByRole("slider", { name: /false alarms/i }).count()) > 0);
  assert.ok((await page.getByRole("button", { name: "Copy link" }).count()) > 0);
  assert.ok((await page.getByRole("button", { name: /^Download/ }).count()) > 0);
  const nameless = await page.locator("button, select, input, textarea, a[href]").evaluateAll((elements) =>
    elements
      .filter((element) => element.checkVisibility())
      .filter((element) => {
        const label = [...(element.labels ?? [])].map((label) => label.innerText).join("");
        const by = (element.getAttribute("aria-labelledby") ?? "").split(/\s+/).map((id) => document.getElementById(id)?.innerText);
        return !(element.ariaLabel || label.trim() || by.join("").trim() || element.innerText.trim() || element.title);
      })
      .map((element) => element.outerHTML.slice(0, 120)),
  );
  assert.deepEqual(nameless, []);
});

/** How light the page's background is, from 0 to 1. */
const light = (page) =>
  page.evaluate(() => {
    const [red, green, blue] = getComputedStyle(document.body)
      .backgroundColor.match(/[\d.]+/g)
      .map(Number);
    return (red + green + blue) / 765;
  });

test("the page is light or dark as the system is, and as people choose", { colorScheme: "dark" }, async ({ page }) => {
  assert.ok((await light(page)) < 0.25, "dark");
  await page.emulateMedia({ colorScheme: "light" });
  assert.ok((await light(page)) > 0.75, "light");
  const seen = new Set();
  for (let presses = 0; presses < 3; presses += 1) {
    await page.locator("#scheme").click();
    seen.add((await light(page)) > 0.5);
  }
  assert.equal(seen.size, 2, "the button leads to both");
  // What was chosen stays.
  while ((await light(page)) > 0.5) {
    await page.locator("#scheme").click();
  }
  await page.reload();
  assert.ok((await light(page)) < 0.25, "still dark, though the system is light");
});

/** axe-core finds nothing: before anything is read, with everything open, and on the page that explains. */
async function accessible({ page, site }) {
  assert.deepEqual(await violations(page), [], "before anything is read");
  await scored(page, () => page.locator("#case").selectOption("recording"));
  await anomalies(page).first().click();
  await page.waitForFunction(() => document.querySelector("#detail").innerText.includes("Around"));
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  assert.deepEqual(await violations(page), [], "with an anomaly");
  await page.setInputFiles("#file", { name: "nothing.log", mimeType: "", buffer: Buffer.alloc(0) });
  await page.getByRole("alert").filter({ hasText: /empty/ }).waitFor();
  assert.deepEqual(await violations(page), [], "with an error");
  await page.goto(`${site.url}how.html`);
  assert.deepEqual(await violations(page), [], "the page that explains");
}

test("axe-core finds nothing in the light", { colorScheme: "light" }, accessible);

test("axe-core finds nothing in the dark", { colorScheme: "dark" }, accessible);

test("axe-core finds nothing on a telephone", { viewport: { width: 360, height: 740 } }, accessible);

test("motion is reduced where people ask for it", { reducedMotion: "reduce" }, async ({ page }) => {
  await choose(page, "spike.csv", spike.bytes);
  const moving = await page.evaluate(() =>
    document.getAnimations().filter((animation) => animation.effect.getComputedTiming().duration > 10).length,
  );
  assert.equal(moving, 0);
});
