// Writes docs/conformance.md from scripts/conformance/, where every rule and scenario names the tests that show it. Fails if
// one of them does not exist. With --check it writes nothing and fails if the page differs.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Evidence } from "./conformance/evidence.ts";
import { fastmcpScenarios } from "./conformance/fastmcp-scenarios.ts";
import { conformancePage } from "./conformance/page.ts";
import { rules } from "./conformance/rules.ts";
import { separator, type TestTitles, testTitles } from "./conformance/test-titles.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = `${root}docs/conformance.md`;
/** How many rules the checklist has; none may get lost. */
const ruleCount = 36;
const faults: string[] = [];

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

const known = new Map<string, TestTitles | undefined>();
function titlesOf(file: string): TestTitles | undefined {
  if (!known.has(file)) {
    const source = read(root + file);
    known.set(file, source === undefined ? undefined : testTitles(file, source));
  }
  return known.get(file);
}

/** What is wrong with a piece of evidence, if anything. */
function faultOf({ file, title, row }: Evidence): string | undefined {
  const titles = titlesOf(file);
  if (!titles) return `there is no file ${file}`;
  const found = titles.paths.filter((path) => path === title || path.endsWith(separator + title));
  if (found.length === 0) return `${file} has no test ${JSON.stringify(title)} that runs`;
  if (found.length > 1) return `${file} has ${found.length} tests ${JSON.stringify(title)}; name the group before it`;
  if (row !== undefined && !titles.texts.has(row)) return `${file} has no row ${JSON.stringify(row)}`;
  return undefined;
}

function checkEvidence(of: string, evidence: readonly Evidence[]): void {
  if (evidence.length === 0) faults.push(`${of}: no test shows it`);
  for (const piece of evidence) {
    const fault = faultOf(piece);
    if (fault !== undefined) faults.push(`${of}: ${fault}`);
  }
}

const numbers = rules.map(({ number }) => number);
const wanted = Array.from({ length: ruleCount }, (_, index) => index + 1);
if (numbers.join() !== wanted.join()) faults.push(`rules: the numbers are ${numbers.join(", ")}`);
for (const { number, shownBy } of rules) checkEvidence(`rule ${number}`, shownBy);
for (const { file, scenarios } of fastmcpScenarios) {
  for (const scenario of scenarios) {
    if ("shownBy" in scenario) checkEvidence(`${file}, ${JSON.stringify(scenario.scenario)}`, scenario.shownBy);
  }
}

for (const fault of faults) console.error(fault);
if (faults.length > 0) {
  process.exitCode = 1;
} else {
  const text = conformancePage(rules, fastmcpScenarios);
  if (!process.argv.includes("--check")) writeFileSync(page, text);
  else if (read(page) !== text) {
    console.error("docs/conformance.md is stale; run: node scripts/generate-conformance.ts");
    process.exitCode = 1;
  }
}
