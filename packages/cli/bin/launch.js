// Plain JavaScript for any Node from 18 on: it finds a Node that can run the command line and passes everything on.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const source = here("../src/main.ts");
const built = here("../dist/main.js");
const checkoutNode = here("../../../node_modules/node/bin/node");

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const modern = major > 22 || (major === 22 && minor >= 19);

/** Runs a program until it ends; signals go to it, its exit status comes back. Options are those of `spawn`. */
export function runChild(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: "inherit", ...options });
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    const pass = (signal) => child.kill(signal);
    for (const signal of signals) process.on(signal, pass);
    const settle = (how) => (value) => {
      for (const signal of signals) process.off(signal, pass);
      how(value);
    };
    child.once("error", settle(reject));
    child.once("close", (code, signal) => settle(resolve)(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

/** Runs the command line with these arguments and answers its exit status. */
export async function launch(args) {
  const fromSource = existsSync(source);
  if (!fromSource && modern) {
    const { main } = await import(built);
    return main(args);
  }
  const node = modern ? process.execPath : checkoutNode;
  if (!modern && !existsSync(checkoutNode)) {
    process.stderr.write(`sallyport needs Node 22.19 or newer; this is ${process.versions.node}\n`);
    return 1;
  }
  const flags = fromSource ? ["--conditions=sallyport-source"] : [];
  // Node 22 warns of what later versions take for granted.
  return runChild(node, ["--disable-warning=ExperimentalWarning", ...flags, fromSource ? source : built, ...args]);
}
