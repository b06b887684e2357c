// Runs a WASI command under Node: node node.mjs MODULE FOLDER ARGUMENT…
import { readFile } from "node:fs/promises";
import { argv, exit } from "node:process";
import { WASI } from "node:wasi";

const [, , module, folder, ...rest] = argv;
const wasi = new WASI({
  version: "preview1",
  args: ["watchpost-cli", ...rest],
  env: {},
  preopens: { ".": folder },
  returnOnExit: true,
});
const { instance } = await WebAssembly.instantiate(await readFile(module), wasi.getImportObject());
exit(wasi.start(instance));
