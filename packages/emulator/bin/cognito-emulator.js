#!/usr/bin/env node
// Plain JavaScript for any Node: runs the TypeScript source in a checkout, the built files in an installed package.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const source = new URL("../src/main.ts", import.meta.url);
const built = new URL("../dist/main.js", import.meta.url);
// Node refuses to strip types below node_modules, so there the source is for debuggers only.
const installed = /[\\/]node_modules[\\/]/.test(fileURLToPath(import.meta.url));
const entry = !installed && existsSync(source) ? source : built;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const newEnough = major > 22 || (major === 22 && minor >= 19);
const checkoutNode = fileURLToPath(new URL("../../../node_modules/node/bin/node", import.meta.url));

if (newEnough) {
  await import(entry.href);
} else if (!installed && existsSync(checkoutNode)) {
  const child = spawn(checkoutNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      // A second one could meet the child as it ends, when nothing catches signals any more.
      if (!stopping) child.kill(signal);
      stopping = true;
    });
  }
  child.on("exit", (status) => {
    process.exitCode = status ?? (stopping ? 0 : 1);
  });
} else {
  process.stderr.write(`cognito-emulator: needs Node 22.19 or newer; this is ${process.versions.node}\n`);
  process.exitCode = 1;
}
