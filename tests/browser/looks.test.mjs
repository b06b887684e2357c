// Pictures of the page for whoever changes it, in target/browser/screenshots, and what can be told of looks without eyes.

import assert from "node:assert/strict";
import { join } from "node:path";

import { anomalies, screenshots, scored, test } from "./browser.mjs";

const TELEPHONE = { width: 360, height: 740 };
const LAPTOP = { width: 1280, height: 800 };
const WALL = { width: 2560, height: 1440 };

/** What is cut off at the right, or can only be seen by scrolling the page sideways. */
const tooWide = (page) =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const scrolls = (element) => /auto|scroll|hidden|clip/.test(getComputedStyle(element).overflowX);
    const within = (element) => element !== document.body && (scrolls(element) || within(element.parentElement));
    const out = [...document.body.querySelectorAll("*")]
      .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > width + 1)
      .filter((element) => element.parentElement && !within(element.parentElement))
      .map((element) => element.outerHTML.slice(0, 100));
    return document.documentElement.scrollWidth > width ? [`${document.documentElement.scrollWidth} px`, ...out] : out;
  });

async function looks({ page, site, t }, { width, height }, scheme) {
  const take = async (state, options) => {
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: join(screenshots, `${state}-${width}x${height}-${scheme}.png`), ...options });
    assert.deepEqual(await tooWide(page), [], `the width of the page, ${state}`);
  };
  await take("idle");
  await scored(page, () => page.locator("#case").selectOption("recording"));
  await take("done");
  // As with the measure that browsers have for it: what comes within half a second of an input is no jump.
  const shifts = await page.evaluate(() =>
    window.probe.shifts.filter(({ startTime }) => startTime > window.watchpost.timings.dropped + 500),
  );
  await anomalies(page).first().click();
  await page.waitForFunction(() => document.querySelector("#detail").innerText.includes("Around"));
  await take("detail");
  await take("whole", { fullPage: true });
  await page.goto(`${site.url}how.html`);
  await take("how");
  await take("how-whole", { fullPage: true });
  const sum = shifts.reduce((sum, { value }) => sum + value, 0);
  t.diagnostic(`layout shift while reading: ${sum.toFixed(3)} (${[...new Set(shifts.flatMap(({ moved }) => moved))].join(", ")})`);
}

test("360x740 in the light", { viewport: TELEPHONE, colorScheme: "light" }, (test) => looks(test, TELEPHONE, "light"));

test("360x740 in the dark", { viewport: TELEPHONE, colorScheme: "dark" }, (test) => looks(test, TELEPHONE, "dark"));

test("1280x800 in the light", { viewport: LAPTOP, colorScheme: "light" }, (test) => looks(test, LAPTOP, "light"));

test("1280x800 in the dark", { viewport: LAPTOP, colorScheme: "dark" }, (test) => looks(test, LAPTOP, "dark"));

test("2560x1440 in the light", { viewport: WALL, colorScheme: "light" }, (test) => looks(test, WALL, "light"));

test("2560x1440 in the dark", { viewport: WALL, colorScheme: "dark" }, (test) => looks(test, WALL, "dark"));
