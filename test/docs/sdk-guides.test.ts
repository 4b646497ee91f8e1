import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { codeBlocks, root } from "./markdown.ts";

test("the code of the guides to MCP SDKs and to clients compiles, each block for itself", () => {
  mkdirSync(`${root}artifacts`, { recursive: true });
  const folder = mkdtempSync(`${root}artifacts/sdk-guides-`);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const blocks = ["mcp-sdks", "client"].flatMap((name) =>
    codeBlocks(readFileSync(`${root}docs/guide/${name}.md`, "utf8"), "ts"),
  );
  expect(blocks).toHaveLength(6);
  for (const [index, code] of blocks.entries()) writeFileSync(`${folder}/block-${index}.ts`, code);
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ extends: "../../tsconfig.json", include: ["*.ts"] }));
  let said = "";
  try {
    execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", folder], { encoding: "utf8" });
  } catch (error) {
    said = error instanceof Error && "stdout" in error ? String(error.stdout) : String(error);
  }
  expect(said).toBe("");
});
