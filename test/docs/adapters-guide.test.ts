import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { codeUnder, root } from "./markdown.ts";

const sections = [
  ["## Express", "express/app.ts"],
  ["## node:http", "node/app.ts"],
  ["## Hono", "hono/app.ts"],
  ["## Fastify", "fastify/app.ts"],
  ["## AWS Lambda", "lambda/handler.ts"],
] as const;

test.each(sections)("the code under %s is that of an example, which runs in the tests", (heading, file) => {
  const example = readFileSync(`${root}examples/${file}`, "utf8").split("\n");
  let from = 0;
  for (const line of codeUnder("docs/guide/adapters.md", heading, "ts").split("\n")) {
    if (line === "") continue;
    const at = example.indexOf(line, from);
    expect(at, line).toBeGreaterThanOrEqual(0);
    from = at + 1;
  }
});
