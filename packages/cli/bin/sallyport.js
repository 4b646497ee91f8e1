#!/usr/bin/env node
import { launch } from "./launch.js";

try {
  process.exitCode = await launch(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`sallyport: ${error instanceof Error ? error.message : "cannot be started"}\n`);
  process.exitCode = 1;
}
