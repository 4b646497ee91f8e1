import { parseSync } from "oxc-parser";

/** What a test file says of its tests, read from the source. */
export interface TestTitles {
  /** Every test and group that runs, as `group > test`. A group counts if a test in it runs. */
  readonly paths: readonly string[];
  /** Every text in the file, the names of rows among them. */
  readonly texts: ReadonlySet<string>;
}

/** How vitest joins the titles of groups and tests. */
export const separator = " > ";

const groups = new Set(["describe", "onEachStore"]);
const tests = new Set(["test", "it"]);
const idle = new Set(["skip", "todo", "fails"]);

type Node = Readonly<Record<string, unknown>>;

/**
 * Reads the titles of tests without running them: texts as they are, templates as they stand in the source, between the
 * backticks. Skipped tests are left out, as nothing is shown by them.
 */
export function testTitles(file: string, source: string): TestTitles {
  const paths: string[] = [];
  const texts = new Set<string>();

  /** Answers whether a test runs somewhere below. */
  const walk = (value: unknown, above: readonly string[]): boolean => {
    if (Array.isArray(value)) return value.map((item) => walk(item, above)).includes(true);
    if (!isNode(value)) return false;
    if (value.type === "Literal" && typeof value.value === "string") texts.add(value.value);
    const call = value.type === "CallExpression" ? titled(value, source) : undefined;
    if (call === undefined) return walk(Object.values(value), above);
    if (call.names.some((name) => idle.has(name))) return false;
    const path = [...above, call.title];
    const inside = walk(value.callee, []);
    const runs = walk(call.rest, path) || tests.has(call.names[0] ?? "");
    if (runs) paths.push(path.join(separator));
    return runs || inside;
  };

  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  walk(program.body, []);
  return { paths, texts };
}

/** The title and the rest of a call such as `test("title", …)` or `describe.each(rows)("title", …)`. */
function titled(call: Node, source: string): { names: string[]; title: string; rest: unknown[] } | undefined {
  const names = calledNames(call.callee);
  const args = call.arguments;
  if (!Array.isArray(args) || !(groups.has(names[0] ?? "") || tests.has(names[0] ?? ""))) return undefined;
  const [first, ...rest]: unknown[] = args;
  const title = isNode(first) ? textOf(first, source) : undefined;
  return title === undefined ? undefined : { names, title, rest };
}

function textOf(node: Node, source: string): string | undefined {
  if (node.type === "Literal" && typeof node.value === "string") return node.value;
  const { start, end } = node;
  if (node.type !== "TemplateLiteral" || typeof start !== "number" || typeof end !== "number") return undefined;
  return source.slice(start + 1, end - 1);
}

/** `describe.skip.each(rows)` → `describe`, `skip`, `each`. */
function calledNames(node: unknown): string[] {
  if (!isNode(node)) return [];
  if (node.type === "Identifier") return typeof node.name === "string" ? [node.name] : [];
  if (node.type === "MemberExpression") return [...calledNames(node.object), ...calledNames(node.property)];
  if (node.type === "CallExpression") return calledNames(node.callee);
  return node.type === "TaggedTemplateExpression" ? calledNames(node.tag) : [];
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "type" in value;
