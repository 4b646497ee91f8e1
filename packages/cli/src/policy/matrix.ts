import { type GatewayRequest, unlistedTools } from "@sallyport/gateway";
import { writeError, writeLine } from "../process/output.ts";
import { ask, callOf, type Subject } from "./ask.ts";
import { askServers, type ServersAsked } from "./ask-servers.ts";
import type { ListedKind } from "./live-lists.ts";
import { type PolicySource, type ReadPolicy, readPolicy } from "./read-policy.ts";

/** Options of `policy matrix`. */
export interface MatrixOptions extends PolicySource {
  readonly json?: boolean;
  readonly csv?: boolean;
  /** Asks the servers what they have. */
  readonly live?: boolean;
}

/** What may be used or not. */
interface Item {
  readonly type: ListedKind;
  /** As it is written in the answer. */
  readonly label: string;
  readonly request: GatewayRequest;
}

/** A column: everyone in one group, everyone with one value of a claim, or a machine. */
interface Column {
  readonly kind: "group" | "claim" | "machine";
  readonly subject: Subject;
}

interface Cell {
  readonly item: Item;
  readonly column: Column;
  readonly allow: boolean;
  readonly because: string;
}

/** Something about rules and lists that a table cannot show. */
interface Remark {
  readonly about: "named by no rule" | "given by no rule" | "listed by no server" | "could not be asked";
  readonly what: string;
  readonly detail: string;
}

/**
 * `sallyport policy matrix`: which group, claim and machine may use what. Without `live` these are the tools that the
 * rules and the expectations name; with it, everything that the servers list. `server/*` stands for any other tool.
 * @returns the exit status: 1 if a server could not be asked
 * @throws CommandFailure for settings that cannot be used
 */
export async function showMatrix(options: MatrixOptions): Promise<number> {
  const read = await readPolicy(options);
  const asked = options.live ? await askServers(read.config.servers) : undefined;
  const columns = columnsOf(read);
  const items = asked ? listedItems(read, asked) : namedItems(read);
  const rows = items.map((item) => columns.map((column) => cellOf(read, column, item)));
  const remarks = asked ? remarksOn(read, asked) : [];
  if (options.json) writeLine(JSON.stringify(asJson(rows.flat(), remarks, asked !== undefined), null, 2));
  else if (options.csv) {
    writeLine(asked ? "type,item,kind,name,allow,because" : "tool,kind,name,allow,because");
    for (const { item, column, allow, because } of rows.flat()) {
      const type = asked ? [item.type] : [];
      const fields = [...type, item.label, column.kind, column.subject.name, allow ? "yes" : "no", because];
      writeLine(fields.map(csvField).join(","));
    }
    for (const line of inWords(remarks)) writeError(line);
  } else {
    for (const line of asTable(asked ? "what" : "tool", columns, rows)) writeLine(line);
    if (remarks.length > 0) writeLine("");
    for (const line of inWords(remarks)) writeLine(line);
  }
  return remarks.some(({ about }) => about === "could not be asked") ? 1 : 0;
}

const columnsOf = ({ config }: ReadPolicy): readonly Column[] => [
  ...Object.keys(config.groups).map((name): Column => ({ kind: "group", subject: user(name, [name]) })),
  ...config.claims.flatMap(({ claim, values }) =>
    values.map((value): Column => {
      const name = `${claim}${typeof value === "string" ? "=" : ":="}${value}`;
      return { kind: "claim", subject: { ...user(name, []), claims: { [claim]: value } } };
    }),
  ),
  ...Object.keys(config.machines).map(
    (name): Column => ({ kind: "machine", subject: { kind: "machine", name, groups: [] } }),
  ),
];

const user = (name: string, groups: readonly string[]): Subject => ({ kind: "user", name, groups });

const rulesOf = ({ config }: ReadPolicy) => [
  ...Object.values(config.scopes).flatMap(({ allow = [] }) => allow),
  ...config.deny,
];

const isAt = (server: string, { servers }: { readonly servers: readonly string[] }): boolean =>
  servers.includes(server) || servers.includes("*");

/** The tools that rules name at a server, `*` not among them. */
const namedAt = (read: ReadPolicy, server: string): readonly string[] =>
  rulesOf(read)
    .filter((rule) => isAt(server, rule))
    .flatMap(({ tools }) => tools)
    .filter((tool) => tool !== "*");

const toolItem = (server: string, tool: string): Item => ({
  type: "tool",
  label: printable(`${server}/${tool}`),
  request: callOf(`${server}/${tool}`),
});

function namedItems(read: ReadPolicy): readonly Item[] {
  const { servers, policyTests } = read.config;
  return servers.flatMap(({ name }) => {
    const expected = policyTests
      .flatMap(({ allow, deny }) => [...allow, ...deny])
      .filter((tool) => tool.startsWith(`${name}/`) && tool !== `${name}/*`)
      .map((tool) => tool.slice(name.length + 1));
    const tools = [...new Set([...namedAt(read, name), ...expected])].sort();
    return [...tools, "*"].map((tool) => toolItem(name, tool));
  });
}

/** What the servers list; of one that could not be asked, the tools that rules name. */
function listedItems(read: ReadPolicy, { lists }: ServersAsked): readonly Item[] {
  return read.config.servers.flatMap(({ name: server }) => {
    const listed = lists.get(server);
    const tools = listed?.tool ?? [...new Set(namedAt(read, server))].sort();
    const item =
      (type: ListedKind, method: string) =>
      (name: string): Item => ({
        type,
        label: printable(`${server} ${type} ${name}`),
        request: { server, httpMethod: "POST", method, name },
      });
    return [
      ...[...tools, "*"].map((tool) => toolItem(server, tool)),
      ...(listed?.prompt ?? []).map(item("prompt", "prompts/get")),
      ...(listed?.resource ?? []).map(item("resource", "resources/read")),
      ...(listed?.template ?? []).map(item("template", "resources/read")),
    ];
  });
}

function cellOf(read: ReadPolicy, column: Column, item: Item): Cell {
  const { decision, because } = ask(read, column.subject, item.request);
  return { item, column, allow: decision.allow, because };
}

function remarksOn(read: ReadPolicy, { lists, problems }: ServersAsked): readonly Remark[] {
  const { config, placeOf } = read;
  const tools = new Map([...lists].map(([server, { tool }]) => [server, new Set(tool)]));
  const unnamed = config.servers.flatMap(({ name: server }): Remark[] => {
    const named = new Set(namedAt(read, server));
    const everyTool = Object.entries(config.scopes).flatMap(([scope, { allow = [] }]) =>
      allow.some((rule) => isAt(server, rule) && rule.tools.includes("*")) ? [scope] : [],
    );
    return [...(tools.get(server) ?? [])]
      .filter((tool) => !named.has(tool))
      .map((tool) => ({
        about: everyTool.length > 0 ? "named by no rule" : "given by no rule",
        what: printable(`${server}/${tool}`),
        detail: everyTool.length > 0 ? `given with every other tool by ${everyTool.join(", ")}` : "nobody may call it",
      }));
  });
  const unlisted = unlistedTools(config, tools).map(({ tool, rule, servers }): Remark => {
    return { about: "listed by no server", what: tool, detail: `${placeOf(rule)} names it for ${servers.join(", ")}` };
  });
  const failed = config.servers.flatMap(({ name }): Remark[] => {
    const problem = problems.get(name);
    return problem === undefined ? [] : [{ about: "could not be asked", what: name, detail: `it ${problem}` }];
  });
  return [...unnamed, ...unlisted, ...failed];
}

/** A line for each thing there is to say, with everything that it is said of. */
function inWords(remarks: readonly Remark[]): readonly string[] {
  const byDetail = Map.groupBy(remarks, ({ about, detail }) => `${about} ${detail}`);
  return [...byDetail.values()].flatMap(([first, ...more]) =>
    first ? [`${first.about}: ${[first, ...more].map(({ what }) => what).join(", ")} (${first.detail})`] : [],
  );
}

function asJson(cells: readonly Cell[], remarks: readonly Remark[], live: boolean): unknown {
  const answers = cells.map(({ item: { type, label }, column: { kind, subject }, allow, because }) => {
    return { kind, name: subject.name, ...(live ? { type, item: label } : { tool: label }), allow, because };
  });
  return live ? { cells: answers, remarks } : answers;
}

function* asTable(title: string, columns: readonly Column[], rows: readonly (readonly Cell[])[]): Generator<string> {
  const names = columns.map(({ subject }) => subject.name);
  const first = Math.max(4, ...rows.map(([cell]) => cell?.item.label.length ?? 0));
  yield [title.padEnd(first), ...names].join("  ");
  for (const row of rows) {
    const marks = row.map(({ allow }, index) => (allow ? "yes" : "-").padEnd(names[index]?.length ?? 0));
    yield [(row[0]?.item.label ?? "").padEnd(first), ...marks].join("  ").trimEnd();
  }
}

/** Names come from servers: none of them writes anything but text to a terminal. */
const printable = (text: string): string =>
  text.replace(/\p{C}/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);

/** RFC 4180; a field never begins with what a spreadsheet takes for a formula. */
const csvField = (text: string): string => {
  const safe = /^[=+@-]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
