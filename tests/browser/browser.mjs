// A real Chromium, and tests of the page in it: each in a context of its own, with a server of its own. Whatever a test is
// about, it fails when a request leaves the page's origin, when something is written to the console as an error, when an
// exception is not caught, or when the Content-Security-Policy is violated.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test as nodeTest } from "node:test";

import { serve } from "./site.mjs";

/** What `cargo xtask test browser` says of where things are. */
export function variable(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run \`cargo xtask test browser\``);
  return value;
}

const installed = variable("WATCHPOST_BROWSER");
const require = createRequire(join(installed, "npm", "package.json"));
const { chromium } = require("playwright-core");

/** In ms, for machines that are slow or have much to do. No test depends on how fast something is. */
export const PATIENCE = Number(process.env.WATCHPOST_PATIENCE ?? 120_000);

/** The same for 100 MB and more: no machine is so slow that it is not through by then. */
export const HALF_AN_HOUR = 1_800_000;

/** Where pictures of the page go. */
export const screenshots = join(installed, "screenshots");

/** A proxy that whatever leaves the machine would have to pass: it notes it, and lets nothing through. */
async function trap() {
  const caught = [];
  const server = createServer((request, response) => {
    caught.push(`${request.method} ${request.url}`);
    response.writeHead(502).end();
  });
  server.on("connect", (request, socket) => {
    caught.push(`CONNECT ${request.url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Nothing waits for it, whatever becomes of the browser.
  server.unref();
  return { caught, server: `http://127.0.0.1:${server.address().port}` };
}

let started;

/** The browser of this file's tests, which is started with the first. */
function browser() {
  started ??= start();
  return started;
}

async function start() {
  const root = join(installed, "chromium");
  const libraries = join(root, "usr", "lib", "x86_64-linux-gnu");
  const outside = await trap();
  const how = {
    executablePath: join(root, "usr", "lib", "chromium", "chromium-headless-shell"),
    args: ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"].concat(
      ["--disable-sync", "--no-first-run"],
      // Files of 100 MB and screenshots of 4K do not fit into the shared memory of many containers.
      ["--disable-dev-shm-usage"],
    ),
    chromiumSandbox: false,
    env: {
      ...process.env,
      LD_LIBRARY_PATH: [libraries, join(libraries, "pulseaudio"), process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
      FONTCONFIG_FILE: join(installed, "fonts.conf"),
      // Nothing is read from, or left in, the home of the person who runs this.
      HOME: join(installed, "home"),
      XDG_CACHE_HOME: join(installed, "home", ".cache"),
      XDG_CONFIG_HOME: join(installed, "home", ".config"),
    },
    proxy: { server: outside.server, bypass: "127.0.0.1" },
    timeout: PATIENCE,
  };
  const browser = await chromium.launch(how).catch((failure) => {
    console.error(`Chromium did not start, and is started once more: ${failure}`);
    return chromium.launch(how);
  });
  return { browser, outside };
}

after(async () => {
  // Where it has not started, the tests have said so.
  const running = await started?.catch(() => undefined);
  await running?.browser.close();
});

/** In the page, before anything else runs: what cannot be asked for afterwards. */
function probe() {
  const probe = { longTasks: [], shifts: [], frames: 0 };
  window.probe = probe;
  document.addEventListener("securitypolicyviolation", (event) => {
    window.violated(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
  });
  const observe = (type, each) =>
    new PerformanceObserver((list) => list.getEntries().forEach(each)).observe({ type, buffered: true });
  observe("longtask", (entry) => probe.longTasks.push(entry.duration));
  observe("layout-shift", ({ startTime, value, sources }) => {
    const moved = sources.map(({ node }) => node?.id || node?.getAttribute?.("class") || node?.nodeName || "something");
    probe.shifts.push({ startTime, value, moved });
  });
  const frame = () => {
    probe.frames += document.documentElement?.dataset.state === "reading" ? 1 : 0;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

/**
 * A test of the page. `options` are those of a context of Playwright, and of our own: `path`, what of the playground is
 * opened (nothing with `null`), `site: "copied"` for a copy of it that may be changed, and `skip`, why there is no test. The
 * body gets the page, its context, the server, a folder for files, what was found so far, and node's test context.
 */
export function test(name, ...rest) {
  const body = rest.pop();
  const { path = "", skip, site: of, ...options } = rest.pop() ?? {};
  nodeTest(name, { skip }, async (t) => {
    const { browser: chromium, outside } = await browser();
    const folder = await mkdtemp(join(tmpdir(), "watchpost-browser-"));
    const site = await serve(of === "copied" ? await copied(folder) : variable("WATCHPOST_SITE"));
    const context = await chromium.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    context.setDefaultTimeout(PATIENCE);
    await context.addInitScript(probe);
    const found = { errors: [], violations: [], foreign: [] };
    context.on("console", (message) => {
      if (message.type() === "error") {
        found.errors.push(`${message.text()} (${message.location().url})`);
      }
    });
    context.on("weberror", (error) => found.errors.push(String(error.error()?.stack ?? error.error())));
    context.on("request", (request) => {
      const url = new URL(request.url());
      if (/^(http|ws)s?:$/.test(url.protocol) && url.origin !== site.origin) {
        found.foreign.push(url.href);
      }
    });
    context.on("page", (page) => {
      page.on("websocket", (socket) => found.foreign.push(socket.url()));
      page.on("crash", () => found.errors.push("the page has crashed"));
    });
    await context.exposeBinding("violated", (_, what) => void found.violations.push(what));
    const page = await context.newPage();
    try {
      if (path !== null) {
        await open(page, site.url + path);
      }
      await body({ page, context, site, folder, found, t });
      found.unanswered = site.answers.filter(({ status }) => status !== 200);
      found.outside = outside.caught.splice(0);
      const nothing = { errors: [], violations: [], foreign: [], unanswered: [], outside: [] };
      assert.deepEqual(found, nothing, "something is in the console, violates the policy, or leaves the page's origin");
    } catch (failure) {
      const shot = join(installed, "failed", `${name.replace(/\W+/g, "-")}.png`);
      await page.screenshot({ path: shot, timeout: 10_000 }).catch(() => {});
      t.diagnostic(existsSync(shot) ? `the page as it was: ${shot}` : "there is no picture of the page");
      t.diagnostic(`found: ${JSON.stringify(found)}`);
      throw failure;
    } finally {
      await context.close().catch(() => {});
      await site.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** A copy of the playground that may be changed. */
async function copied(folder) {
  const copy = join(folder, "site");
  await cp(variable("WATCHPOST_SITE"), copy, { recursive: true });
  return copy;
}

/** Opens the page and waits until it can be used. */
export async function open(page, url) {
  await page.goto(url);
  if (new URL(url).pathname.endsWith("how.html")) {
    return;
  }
  await page.waitForFunction(() => document.documentElement.dataset.state !== undefined);
}

/** Does what makes the page read something, and waits for the end of that, whichever it is. Returns the state. */
export async function settled(page, act, patience = PATIENCE) {
  const before = await page.evaluate(() => window.watchpost?.timings?.dropped ?? null);
  await act();
  await page.waitForFunction(
    (before) =>
      ["done", "failed", "cancelled"].includes(document.documentElement.dataset.state) &&
      (window.watchpost?.timings?.dropped ?? null) !== before,
    before,
    { timeout: patience },
  );
  // What is below the fold comes a moment later.
  await page.waitForFunction(() => {
    const { classList } = document.documentElement;
    return !classList.contains("has-work") || classList.contains("has-rest");
  });
  return page.evaluate(() => document.documentElement.dataset.state);
}

/** The same, where the page must be able to read it. */
export async function scored(page, act, patience = PATIENCE) {
  const state = await settled(page, act, patience);
  const told = await page.locator("#error").allInnerTexts();
  assert.equal(state, "done", `the page tells: ${told.join(" ")}`);
}

/** Scores the content of a file, chosen with the button. */
export function choose(page, name, content) {
  const buffer = Buffer.from(content);
  return scored(page, () => page.setInputFiles("#file", { name, mimeType: "", buffer }));
}

/** Drops a file of the disk on the page, as a person does: with events of the browser itself. */
export async function drop(page, path) {
  const { x, y, width, height } = await page.locator("#drop").boundingBox();
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await session.send("Input.dispatchDragEvent", { type, x: x + width / 2, y: y + height / 2, data });
  }
  await session.detach();
}

/** The rows of the table of anomalies. */
export const anomalies = (page) => page.locator("#anomalies tbody tr");

/** Has axe-core look at the page, in the state that it is in. */
export async function violations(page) {
  await page.evaluate(require("axe-core").source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(({ id, help, nodes }) => ({
    rule: id,
    help,
    where: nodes.slice(0, 5).map(({ target, failureSummary }) => `${target.join(" ")}: ${failureSummary}`),
  }));
}
