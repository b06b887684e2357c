// A folder of static files: at any path, small, without a network once it was loaded, and under a policy that lets nothing
// else in.

import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";

import { anomalies, choose, open, test, variable } from "./browser.mjs";
import { cases } from "./native.mjs";

/**
 * More than that, in bytes of gzip, the first load has never been. Nine tenths of it are the detector; who adds something to
 * the page or to the detector and gets here should know what it costs.
 */
const FIRST_LOAD = 800_000;

const spike = cases().find(({ name }) => name === "csv-spike");

/** What `files.js` says that the first load is. */
const listed = (page) =>
  page.evaluate(async () => {
    const text = await (await fetch("files.js")).text();
    return JSON.parse(/self\.FILES\s*=\s*(\{[\s\S]*\})\s*;?\s*$/.exec(text)[1]).files;
  });

/** Waits until the service worker has everything. */
const ready = (page) => page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active.state));

test("the page works without a network after the first load", async ({ page, context, site }) => {
  await ready(page);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await context.setOffline(true);
  await site.close();
  for (const path of ["", "?emit=all", "how.html"]) {
    await open(page, site.url + path);
    assert.ok((await page.locator("h1").count()) > 0, `there is something to see of ${path || "the page"}`);
  }
  await open(page, site.url);
  await choose(page, "spike.csv", spike.bytes);
  assert.equal(await anomalies(page).count(), 1);
});

test("a new version is offered, and taken over as a whole", { site: "copied" }, async ({ page, site }) => {
  await ready(page);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  const index = await readFile(join(site.folder, "index.html"), "utf8");
  const files = await readFile(join(site.folder, "files.js"), "utf8");
  const title = () => page.title();
  const before = await title();
  await writeFile(join(site.folder, "index.html"), index.replace(/<title>[^<]*/, "<title>The next version"));
  await writeFile(join(site.folder, "files.js"), files.replace(/"version":\s*"[0-9a-f]{4}/, '"version":"next'));
  await open(page, site.url);
  assert.equal(await title(), before, "the version that was loaded first is kept");
  await page.locator("#news").getByRole("button", { name: "Reload" }).click();
  await page.waitForFunction(() => document.title === "The next version");
});

test("the first load asks for nothing that is not kept for later", async ({ page, site }) => {
  const files = await listed(page);
  await ready(page);
  const rest = site.asked().filter((path) => !["sw.js", "files.js", ...files].includes(path));
  assert.deepEqual(rest, []);
});

test("the first load is small", async ({ page, t }) => {
  const sizes = {};
  // The cases come after what the page is made of, and nobody waits for them.
  const files = (await listed(page)).filter((file) => !/^cases\/.*\//.test(file));
  for (const file of ["sw.js", "files.js", ...files]) {
    const content = await readFile(join(variable("WATCHPOST_SITE"), file === "./" ? "index.html" : file));
    sizes[file === "./" ? "index.html" : file] = gzipSync(content, { level: 9 }).length;
  }
  const sum = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  t.diagnostic(`${sum} bytes as gzip: ${JSON.stringify(sizes)}`);
  assert.ok(sum <= FIRST_LOAD, `${sum} bytes`);
});

test("every path within the page leads somewhere", { path: null }, async ({ page, site }) => {
  const folder = variable("WATCHPOST_SITE");
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
  for (const file of files.filter((file) => file.endsWith(".html"))) {
    await page.goto(site.url + file);
    const paths = await page.evaluate(() =>
      [...document.querySelectorAll("[href], [src]")]
        .map((element) => new URL(element.getAttribute("href") ?? element.getAttribute("src"), document.baseURI))
        .filter((url) => url.origin === location.origin)
        .map((url) => url.pathname),
    );
    for (const path of paths) {
      assert.ok(path.startsWith(new URL(site.url).pathname), `${path} of ${file} is relative`);
      const name = path.slice(new URL(site.url).pathname.length) || "index.html";
      assert.ok(files.includes(name), `${name}, which ${file} names, is there`);
    }
  }
});

test("the policy lets in nothing but the page's own files", { path: null }, async ({ page, site, found }) => {
  for (const path of ["", "how.html"]) {
    await open(page, site.url + path);
    const policy = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute("content");
    assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|\*|https?:|wss?:/);
    assert.deepEqual(found.violations, []);
    const ran = await page.evaluate(async () => {
      window.seen = [];
      document.addEventListener("securitypolicyviolation", (event) => window.seen.push(event.violatedDirective));
      const script = document.createElement("script");
      script.textContent = "window.inline = true";
      document.body.append(script);
      const image = document.createElement("img");
      image.setAttribute("onerror", "window.handler = true");
      image.src = "data:image/png;base64,AAAA";
      await new Promise((resolve) => {
        image.addEventListener("error", () => setTimeout(resolve));
        document.body.append(image);
      });
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      document.body.append(style);
      const asked = await fetch("https://watchpost.invalid/").catch((error) => error.name);
      return { inline: window.inline, handler: window.handler, shown: getComputedStyle(document.body).display, asked };
    });
    assert.equal(ran.inline, undefined);
    assert.equal(ran.handler, undefined);
    assert.notEqual(ran.shown, "none");
    assert.equal(ran.asked, "TypeError");
    await page.waitForFunction(() => window.seen.length === 4);
    const directives = await page.evaluate(() => window.seen);
    assert.deepEqual(directives.sort(), ["connect-src", "script-src-attr", "script-src-elem", "style-src-elem"]);
    // All of that was meant.
    found.violations.length = 0;
    found.errors.length = 0;
    found.foreign.length = 0;
  }
});
