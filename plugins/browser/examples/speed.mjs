// How fast the package reads a file: node speed.mjs PACKAGE FILE [BYTES OF A PIECE]. Prints JSON.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, file, size = "262144"] = process.argv.slice(2);
const { initSync, Watchpost } = await import(pathToFileURL(join(resolve(folder), "watchpost.js")));
const bytes = readFileSync(file);
const begun = performance.now();
const cpu = process.cpuUsage();
initSync({ module: readFileSync(join(folder, "watchpost_bg.wasm")) });
const watchpost = new Watchpost();
watchpost.begin({ format: "auto", year: 2026 });
let first;
let events = 0;
for (let at = 0; at < bytes.length; at += Number(size)) {
  events += watchpost.push(bytes.subarray(at, at + Number(size))).row.length;
  watchpost.names();
  watchpost.said();
  first ??= performance.now() - begun;
}
events += watchpost.finish().row.length;
watchpost.close();
const seconds = (performance.now() - begun) / 1000;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({
  megabytes: bytes.length / 1e6,
  events,
  first_verdicts_ms: Math.round(first),
  seconds: Number(seconds.toFixed(2)),
  cpu_seconds: Number(((user + system) / 1e6).toFixed(2)),
  megabytes_a_second: Number((bytes.length / 1e6 / seconds).toFixed(1)),
  alarms: watchpost.status().alarms,
}));
