import { writeLine } from "../process/output.ts";
import { ask, callOf, reasonOf, type Subject } from "./ask.ts";
import { type PolicySource, type ReadPolicy, readPolicy } from "./read-policy.ts";

/** Options of `policy matrix`. */
export interface MatrixOptions extends PolicySource {
  readonly json?: boolean;
  readonly csv?: boolean;
}

interface Cell {
  readonly subject: Subject;
  readonly tool: string;
  readonly allow: boolean;
  readonly because: string;
}

/**
 * `sallyport policy matrix`: which group and which machine may call which tool. Tools are those that the rules and the expectations name;
 * `server/*` stands for any other.
 * @returns the exit status
 * @throws CommandFailure for settings that cannot be used
 */
export async function showMatrix(options: MatrixOptions): Promise<number> {
  const read = await readPolicy(options);
  const subjects = subjectsOf(read);
  const rows = toolsOf(read).map((tool) => subjects.map((subject) => cellOf(read, subject, tool)));
  if (options.json) {
    const cells = rows.flat().map(({ subject: { kind, name }, ...cell }) => ({ kind: kindOf(kind), name, ...cell }));
    writeLine(JSON.stringify(cells, null, 2));
  } else if (options.csv) {
    writeLine("tool,kind,name,allow,because");
    for (const { subject, tool, allow, because } of rows.flat()) {
      writeLine([tool, kindOf(subject.kind), subject.name, allow ? "yes" : "no", because].map(csvField).join(","));
    }
  } else for (const line of asTable(subjects, rows)) writeLine(line);
  return 0;
}

/** A user stands for everyone in one group. */
const kindOf = (kind: Subject["kind"]): string => (kind === "user" ? "group" : "machine");

const subjectsOf = ({ config }: ReadPolicy): readonly Subject[] => [
  ...Object.keys(config.groups).map((name): Subject => ({ kind: "user", name, groups: [name] })),
  ...Object.keys(config.machines).map((name): Subject => ({ kind: "machine", name, groups: [] })),
];

function toolsOf({ config }: ReadPolicy): readonly string[] {
  const rules = [...Object.values(config.scopes).flatMap(({ allow = [] }) => allow), ...config.deny];
  return config.servers.flatMap(({ name }) => {
    const named = rules
      .filter(({ servers }) => servers.includes(name) || servers.includes("*"))
      .flatMap(({ tools }) => tools)
      .filter((tool) => tool !== "*");
    const expected = config.policyTests
      .flatMap(({ allow, deny }) => [...allow, ...deny])
      .filter((tool) => tool.startsWith(`${name}/`) && tool !== `${name}/*`)
      .map((tool) => tool.slice(name.length + 1));
    return [...[...new Set([...named, ...expected])].sort(), "*"].map((tool) => `${name}/${tool}`);
  });
}

function cellOf(read: ReadPolicy, subject: Subject, tool: string): Cell {
  const { decision } = ask(read, subject, callOf(tool));
  return { subject, tool, allow: decision.allow, because: reasonOf(read, decision) };
}

function* asTable(subjects: readonly Subject[], rows: readonly (readonly Cell[])[]): Generator<string> {
  const first = Math.max(4, ...rows.map(([cell]) => cell?.tool.length ?? 0));
  yield ["tool".padEnd(first), ...subjects.map(({ name }) => name)].join("  ");
  for (const row of rows) {
    const marks = row.map(({ allow, subject }) => (allow ? "yes" : "-").padEnd(subject.name.length));
    yield [(row[0]?.tool ?? "").padEnd(first), ...marks].join("  ").trimEnd();
  }
}

/** RFC 4180; a field never begins with what a spreadsheet takes for a formula. */
const csvField = (text: string): string => {
  const safe = /^[=+@-]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
