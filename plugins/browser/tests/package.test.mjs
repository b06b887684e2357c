// The package as it is built, in Node. `cargo xtask test` builds it and says where it is.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const folder = process.env.WATCHPOST_PACKAGE;
assert.ok(folder, "WATCHPOST_PACKAGE names the folder of the package");
const { initSync, version, Watchpost } = await import(pathToFileURL(join(folder, "watchpost.js")));
initSync({ module: readFileSync(join(folder, "watchpost_bg.wasm")) });

const root = new URL("../../../", import.meta.url);
const cases = new URL("tests/cases/", root);
const FORMATS = { "input.ndjson": "ndjson", "input.csv": "csv", "input.log": "text", "input.prom": "prometheus" };
const text = (bytes) => new TextDecoder().decode(bytes);
const utf8 = (string) => new TextEncoder().encode(string);

/** One case of the tests. */
function open(name) {
  const at = new URL(`${name}/`, cases);
  const files = readdirSync(at);
  const file = files.find((file) => file in FORMATS);
  const json = (file) => (files.includes(file) ? JSON.parse(readFileSync(new URL(file, at), "utf8")) : undefined);
  return {
    bytes: readFileSync(new URL(file, at)),
    input: { format: FORMATS[file], ...json("input.json") },
    config: json("config.json"),
    expected: readFileSync(new URL("expected.ndjson", at), "utf8"),
  };
}

/** Runs an input in pieces of this size; what was said, all columns joined, and all names. */
function run(watchpost, input, bytes, size = bytes.length || 1) {
  const seen = { said: "", columns: {}, names: { subjects: [], series: [], groups: [] } };
  const take = (columns) => {
    const offset = seen.columns.row?.length ?? 0;
    for (const [name, column] of Object.entries(columns)) {
      const moved = name === "value_event" ? column.map((event) => event + offset) : column;
      (seen.columns[name] ??= []).push(...moved);
    }
    for (const [kind, news] of Object.entries(watchpost.names())) {
      for (const one of news) seen.names[kind][one.index] = one;
    }
    seen.said += text(watchpost.said());
  };
  watchpost.begin(input);
  for (let at = 0; at < bytes.length; at += size) take(watchpost.push(bytes.subarray(at, at + size)));
  take(watchpost.finish());
  watchpost.close();
  seen.said += text(watchpost.said());
  return seen;
}

for (const name of readdirSync(cases)) {
  test(`the case ${name} is said as everywhere, and columns are the same however it is cut`, () => {
    const { bytes, input, config, expected } = open(name);
    const whole = run(new Watchpost(config), input, bytes);
    assert.equal(whole.said, expected);
    const cut = run(new Watchpost(config), input, bytes, 997);
    assert.equal(cut.said, expected);
    assert.deepEqual(cut.columns, whole.columns);
    assert.deepEqual(cut.names, whole.names);
  });

  test(`the columns of ${name} agree with each other and with what is said`, () => {
    const { bytes, input, config } = open(name);
    const watchpost = new Watchpost(config);
    const { said, columns, names } = run(watchpost, { ...input, emit: "all" }, bytes);
    const events = columns.row.length;
    for (const column of ["time", "surprise", "flags", "subject", "group"]) {
      assert.equal(columns[column].length, events, column);
    }
    assert.equal(columns.value_event.length, columns.value.length);
    assert.equal(columns.value_series.length, columns.value.length);
    const lines = said.split("\n").filter(Boolean).map((line) => JSON.parse(line));
    const rows = new Map(lines.filter((line) => "score" in line && "row" in line && "onset" in line).map((line) => [line.row, line]));
    const told = lines.filter((line) => "timestamp" in line && line.phase !== "near");
    for (let at = 0; at < events; at += 1) {
      assert.ok([8, 16, 32].includes(columns.flags[at] & 56), "one kind");
      const subject = names.subjects[columns.subject[at]];
      assert.ok(subject, "a subject has a name");
      const group = names.groups[columns.group[at]];
      if (group) assert.equal(group.subject, columns.subject[at]);
      const row = rows.get(columns.row[at]);
      if (!row) continue; // a row of several events is written once
      const flagged = (columns.flags[at] & 1) !== 0;
      const explained = watchpost.explain(columns.row[at]);
      assert.equal(explained !== undefined, flagged || row.anomaly);
      if (explained?.told) assert.ok(told.some((anomaly) => anomaly.fingerprint === explained.told.fingerprint));
    }
    for (let at = 0; at < columns.value.length; at += 1) {
      const series = names.series[columns.value_series[at]];
      assert.equal(series.subject, columns.subject[columns.value_event[at]]);
      assert.ok(Number.isFinite(columns.value[at]));
    }
  });
}

test("rows have the surprise that their lines have", () => {
  const { bytes, input } = open("csv-spike");
  const { said, columns } = run(new Watchpost(), { ...input, emit: "rows" }, bytes);
  const rows = said.split("\n").filter((line) => line.startsWith('{"row"')).map((line) => JSON.parse(line));
  assert.deepEqual(columns.row, rows.map((row) => row.row));
  assert.deepEqual(columns.surprise, rows.map((row) => row.surprise));
  assert.deepEqual(columns.flags.map((flags) => flags & 3), rows.map((row) => (row.anomaly ? 1 : 0) + (row.onset ? 2 : 0)));
});

test("an anomalous row is explained by the anomaly that was told of it", () => {
  const { bytes, input } = open("csv-spike");
  const watchpost = new Watchpost();
  const { said, columns } = run(watchpost, { ...input, emit: "anomalies" }, bytes);
  const onset = columns.flags.findIndex((flags) => flags & 2);
  const { told, ...verdict } = watchpost.explain(columns.row[onset]);
  assert.deepEqual(verdict, {
    row: columns.row[onset],
    surprise: columns.surprise[onset],
    score: verdict.score,
    anomaly: true,
    onset: true,
  });
  const last = said.trim().split("\n").filter((line) => line.startsWith('{"timestamp"')).at(-1);
  assert.deepEqual(told, JSON.parse(last));
  assert.equal(watchpost.explain(0), undefined);
  assert.equal(watchpost.explain(1e9), undefined);
});

test("a request that fails is explained by the episode of its route", () => {
  const watchpost = new Watchpost();
  let log = "";
  for (let n = 0; n < 24_000; n += 1) {
    const time = new Date(Date.UTC(2026, 10, 20, 8) + n * 1000).toISOString();
    const failed = n > 20_000 && n < 21_000 && n % 2 === 0;
    const path = n % 2 === 0 ? `/orders/${n}` : "/cart?x=1";
    log += `time=${time} method=GET path=${path} status=${failed ? 503 : 200} duration_ms=${20 + (n * 7919) % 17} bytes=512\n`;
  }
  const { said, columns, names } = run(watchpost, { format: "logfmt" }, utf8(log), 65_536);
  const flagged = columns.row.filter((_, at) => columns.flags[at] & 1);
  assert.ok(flagged.length > 100, `${flagged.length} flagged: ${said}`);
  for (const row of flagged) {
    const { told } = watchpost.explain(row);
    assert.equal(told.kind, "errors");
    assert.equal(told.subject.route, "/orders/{id}");
  }
  assert.ok(columns.flags.every((flags) => flags & 32));
  assert.equal(columns.flags.filter((flags) => flags & 4).length, 499);
  assert.deepEqual(names.groups.map((group) => group.text), ["GET /orders/{id}", "GET /cart"]);
  assert.deepEqual(names.series.map(({ metric, unit }) => [metric, unit]), [["duration_ms", "ms"], ["bytes", "B"]]);
});

test("what is wrong is an Error that names the field", () => {
  for (const [make, expected] of [
    [() => new Watchpost({ detector: { false_alarms_per_day: -1 } }), /field `detector\.false_alarms_per_day`: .*give a number from/],
    [() => new Watchpost({ detector: { budget: 1 } }), /there is no field `budget`/],
    [() => new Watchpost(() => {}), /cannot be written as JSON/],
    [() => new Watchpost(null, utf8("no state")), /state|snapshot/],
    [() => new Watchpost().begin({ format: "xml" }), /field `format`: /],
    [() => new Watchpost().begin("csv"), /is an object/],
    [() => new Watchpost().push(utf8("x")), /call begin\(\) first/],
    [() => new Watchpost().finish(), /call begin\(\) first/],
  ]) {
    assert.throws(make, (error) => error instanceof Error && expected.test(error.message) || assert.fail(String(error)));
  }
  const open = new Watchpost();
  open.begin();
  assert.throws(() => open.begin(), /call finish\(\) first/);
  assert.throws(() => open.close(), /call finish\(\) first/);
});

test("a snapshot goes on where another instance stopped", () => {
  const { bytes, input } = open("csv-spike");
  const half = bytes.indexOf(10, bytes.length / 2) + 1;
  const head = bytes.subarray(0, bytes.indexOf(10) + 1);
  const parts = [bytes.subarray(0, half), Buffer.concat([head, bytes.subarray(half)])];
  const one = new Watchpost();
  run(one, input, parts[0]);
  const other = new Watchpost(null, one.snapshot());
  assert.deepEqual(other.snapshot(), one.snapshot());
  // Rows are counted by who reads them.
  const unnumbered = (said) => said.replace(/"row":\d+,/g, "");
  assert.equal(unnumbered(run(other, input, parts[1]).said), unnumbered(run(one, input, parts[1]).said));
  assert.deepEqual(other.snapshot(), one.snapshot());
});

test("arrays are copies that outlive the detector and its memory", () => {
  const watchpost = new Watchpost();
  watchpost.begin({ format: "text" });
  const columns = watchpost.push(utf8("2026-11-20 09:00:00 INFO one\n2026-11-20 09:00:01 ERROR two\n2026-11-20 09:00:02 INFO three\n"));
  const before = structuredClone(columns);
  watchpost.push(utf8("2026-11-20 09:00:03 INFO more\n".repeat(200_000)));
  watchpost.free();
  assert.deepEqual(columns, before);
  assert.equal(columns.time[0], Date.parse("2026-11-20T09:00:00Z"));
  assert.equal(columns.flags[1], 16 + 4);
});

test("the package is complete, and its README runs", () => {
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  assert.equal(about.name, "watchpost");
  assert.equal(about.version, version());
  assert.equal(about.license, "Apache-2.0");
  for (const file of ["LICENSE", "README.md", "watchpost.d.ts"]) assert.ok(readdirSync(folder).includes(file), file);
  const project = mkdtempSync(join(tmpdir(), "watchpost-"));
  try {
    cpSync(folder, join(project, "node_modules", "watchpost"), { recursive: true });
    const readme = readFileSync(join(folder, "README.md"), "utf8");
    const [, example] = /```js\n([\s\S]*?)```/.exec(readme);
    const [, output] = /```text\n([\s\S]*?)```/.exec(readme);
    writeFileSync(join(project, "example.mjs"), example);
    assert.equal(execFileSync(process.execPath, ["example.mjs"], { cwd: project, encoding: "utf8" }), output);
  } finally {
    rmSync(project, { recursive: true });
  }
});
