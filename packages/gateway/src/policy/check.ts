import { type CoreConfig, nearest, type Rule, ruleFor } from "sallyport";
import type { GatewayConfig } from "../config/section.ts";
import { spelledOut } from "./methods.ts";
import type { AllowRule, DenyRule } from "./rule.ts";
import { denying, type RuleBody, type RuleTable, ruleTable } from "./rule-table.ts";

type Settings = CoreConfig & GatewayConfig;
type Path = readonly (string | number)[];

const rule = ruleFor<Settings>();

/** Every allow rule with its place. */
const allowRules = (scopes: Settings["scopes"]): readonly { readonly rule: AllowRule; readonly path: Path }[] =>
  Object.entries(scopes).flatMap(([name, { allow = [] }]) =>
    allow.map((given, index) => ({ rule: given, path: ["scopes", name, "allow", index] })),
  );

const denyRules = (deny: Settings["deny"]): readonly { readonly rule: DenyRule; readonly path: Path }[] =>
  deny.map((denied, index) => ({ rule: denied, path: ["deny", index] }));

const unknownServer = rule("policy-server", ["servers", "scopes", "deny"], ({ servers, scopes, deny }, report) => {
  const known = new Set(servers.map(({ name }) => name));
  for (const { rule: body, path } of [...allowRules(scopes), ...denyRules(deny)]) {
    body.servers.forEach((name, index) => {
      if (name === "*" || known.has(name)) return;
      report.problem([...path, "servers", index], unknown("server", name, [...known]));
    });
  }
});

const unknownMachine = rule("policy-machine", ["machines", "deny"], ({ machines, deny }, report) => {
  const known = Object.keys(machines);
  deny.forEach((body, at) => {
    body.machines?.forEach((id, index) => {
      if (!Object.hasOwn(machines, id)) report.problem(["deny", at, "machines", index], unknown("machine", id, known));
    });
  });
});

const unknownGroup = rule("policy-group", ["groups", "deny"], ({ groups, deny }, report) => {
  deny.forEach((body, at) => {
    body.groups?.forEach((name, index) => {
      if (Object.hasOwn(groups, name)) return;
      const meant = nearest(name, Object.keys(groups));
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      const message = `${report.name(["groups"])} has no such group: it concerns nobody unless Cognito has it${hint}`;
      report.warn(["deny", at, "groups", index], message);
    });
  });
});

function unknown(what: string, name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  return `there is no ${what} ${JSON.stringify(name)}${hint} (known: ${known.length === 0 ? "none" : known.join(", ")})`;
}

const unknownInTest = rule(
  "policy-test",
  ["servers", "machines", "policyTests"],
  ({ servers, machines, policyTests }, report) => {
    const known = servers.map(({ name }) => name);
    policyTests.forEach((expected, at) => {
      const { machine } = expected;
      if (machine !== undefined && !Object.hasOwn(machines, machine)) {
        report.problem(["policyTests", at, "machine"], unknown("machine", machine, Object.keys(machines)));
      }
      for (const key of ["allow", "deny"] as const) {
        expected[key].forEach((tool, index) => {
          const server = tool.slice(0, tool.indexOf("/"));
          if (known.includes(server)) return;
          report.problem(["policyTests", at, key, index], unknown("server", server, known));
        });
      }
    });
  },
);

/** Takes the place of the library's rule, which knows no deny rules: a group that gives nothing may be denied something. */
const emptyGroup = rule("empty-group", ["groups", "deny"], ({ groups, deny }, report) => {
  const denied = new Set(deny.flatMap((body) => body.groups ?? []));
  for (const [name, given] of Object.entries(groups)) {
    if (given.length > 0 || denied.has(name)) continue;
    report.warn(["groups", name], "gives nothing, as if the group were not here");
  }
});

const neverMatches = rule("policy-never-matches", ["scopes", "deny"], ({ scopes, deny }, report) => {
  const everyone = ruleTable(
    deny.flatMap((body, index) => (body.groups || body.machines ? [] : [[body, index] as const])),
  );
  for (const { rule: body, path } of denyRules(deny)) {
    if (body.tools.length + body.methods.length === 0) report.problem(path, "denies nothing; add tools or methods");
  }
  for (const { rule: body, path } of allowRules(scopes)) {
    const methods = body.methods.filter((method) => method !== "tools/call");
    if (body.tools.length + methods.length === 0) {
      report.problem(path, "can never match: it names no tool and no method that could be used");
      continue;
    }
    if (body.tools.length === 0 && methods.length < body.methods.length) {
      report.warn([...path, "methods"], "tools/call gives nothing by itself; name the tools");
    }
    const by = deniedWhole(body, everyone);
    if (by !== undefined) report.problem(path, `can never match: ${report.name(["deny", by])} denies it to everyone`);
  }
});

/** The deny rule that takes the last of what a rule gives; `undefined` if something is left of it. */
function deniedWhole(body: RuleBody, everyone: RuleTable<number>): number | undefined {
  const methods = spelledOut(body.methods).filter((method) => method !== "tools/call");
  let last: number | undefined;
  for (const server of body.servers) {
    const asked = [
      ...body.tools.map((name) => ({ server, httpMethod: "POST", method: "tools/call", name }) as const),
      ...methods.map((method) => ({ server, httpMethod: "POST", method }) as const),
    ];
    for (const request of asked) {
      last = denying(everyone, request);
      if (last === undefined) return undefined;
    }
  }
  return last;
}

const nobodyHas = rule(
  "policy-scope-nobody-has",
  ["scopes", "groups", "claims", "machines"],
  ({ scopes, groups, claims, machines }, report) => {
    const others = [...claims, ...Object.values(machines)].flatMap((giver) => giver.scopes);
    const had = reach([...Object.values(groups).flat(), ...others], scopes);
    for (const [name, { allow }] of Object.entries(scopes)) {
      if (allow === undefined || had.has(name)) continue;
      report.warn(["scopes", name, "allow"], "nobody has this scope: no group, no claim and no machine gives it");
    }
  },
);

const groupOfNothing = rule("policy-group-of-nothing", ["scopes", "groups"], ({ scopes, groups }, report) => {
  if (!hasRules(scopes)) return;
  for (const [group, given] of Object.entries(groups)) {
    if (given.length > 0 && !givesAnything(given, scopes)) {
      report.warn(["groups", group], "gives nothing: none of its scopes allows anything at a server");
    }
  }
});

const claimOfNothing = rule("policy-claim-of-nothing", ["scopes", "claims"], ({ scopes, claims }, report) => {
  if (!hasRules(scopes)) return;
  claims.forEach((given, index) => {
    if (givesAnything(given.scopes, scopes)) return;
    report.warn(["claims", index, "scopes"], "give nothing: none of these scopes allows anything at a server");
  });
});

const serverOfNobody = rule("policy-server-of-nobody", ["scopes", "servers"], ({ scopes, servers }, report) => {
  if (!hasRules(scopes)) return;
  const named = new Set(allowRules(scopes).flatMap(({ rule: body }) => body.servers));
  if (named.has("*")) return;
  servers.forEach(({ name }, index) => {
    if (!named.has(name)) report.warn(["servers", index], `nobody may use ${name}: no scope allows anything there`);
  });
});

const hasRules = (scopes: Settings["scopes"]): boolean =>
  Object.values(scopes).some(({ allow }) => allow !== undefined);

const givesAnything = (names: readonly string[], scopes: Settings["scopes"]): boolean =>
  [...reach(names, scopes)].some((name) => (scopes[name]?.allow?.length ?? 0) > 0);

/** The scopes with all that they include. */
function reach(names: readonly string[], scopes: Settings["scopes"]): ReadonlySet<string> {
  const reached = new Set<string>();
  const pending = [...names];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    if (Object.hasOwn(scopes, next)) pending.push(...(scopes[next]?.includes ?? []));
  }
  return reached;
}

/** What holds between the rules of a policy and the servers, scopes, groups and machines that they name. */
export const policyRules: readonly Rule[] = [
  unknownServer,
  unknownMachine,
  unknownGroup,
  emptyGroup,
  neverMatches,
  nobodyHas,
  groupOfNothing,
  claimOfNothing,
  serverOfNobody,
  unknownInTest,
];
