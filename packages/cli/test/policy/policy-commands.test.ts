import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type ExplainOptions, explainPolicy } from "../../src/policy/explain.ts";
import { type MatrixOptions, showMatrix } from "../../src/policy/matrix.ts";
import { testPolicy } from "../../src/policy/run-tests.ts";
import { failureLines } from "../../src/process/failure.ts";

const settings = `base_url = "https://mcp.example.com"
[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4example"
client_secret = "none"
domain = "example"
[groups]
readers = ["mcp/read"]
writers = ["mcp/write"]
[machines.robot]
scopes = ["mcp/read"]
[[servers]]
name = "notes"
url = "http://127.0.0.1:3001/mcp"
[scopes."mcp/read"]
allow = [{ servers = ["notes"], tools = ["list_notes"] }]
[scopes."mcp/write"]
includes = ["mcp/read"]
allow = [{ servers = ["notes"], tools = ["*"], methods = ["all"] }]
[[deny]]
servers = ["notes"]
tools = ["delete_note"]
`;

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-policy-"));
  file = await settingsFile("sallyport.toml", settings);
});
afterAll(() => rm(folder, { recursive: true }));

async function settingsFile(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly lines: readonly string[];
}

/** What a command says and how it ends, as its process would. */
async function outcomeOf(run: () => Promise<number>): Promise<Outcome> {
  const said = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  try {
    const code = await run();
    return { code, stdout: said.stdout, lines: said.stderr.split("\n").filter((line) => line !== "") };
  } catch (error) {
    return { code: 1, stdout: said.stdout, lines: failureLines(error) };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const explain = (options: ExplainOptions, input = "") =>
  outcomeOf(() =>
    explainPolicy(options.state === undefined ? { config: file, ...options } : options, Readable.from([input])),
  );
const matrix = (options: MatrixOptions = {}) => outcomeOf(() => showMatrix({ config: file, ...options }));

describe("sallyport policy explain", () => {
  test.each<[ExplainOptions, readonly string[]]>([
    [
      { group: ["readers"], tool: "notes/list_notes" },
      [
        `a user in readers may use notes/list_notes: scopes."mcp/read".allow[0] (FILE:16) gives it`,
        "groups: readers",
        "scopes that count: mcp/read",
      ],
    ],
    [
      { user: "ann", group: ["readers", "writers"], tool: "notes/delete_note" },
      [
        "ann may not use notes/delete_note: deny[0] (FILE:20) denies it",
        "groups: readers writers",
        "scopes that count: mcp/read mcp/write",
      ],
    ],
    [
      { group: ["writers"], scope: ["mcp/read"], tool: "notes/add_note" },
      [
        "a user in writers may not use notes/add_note: no scope gives it",
        "groups: writers",
        "scopes that count: mcp/read",
        "scopes that would give it: mcp/write",
        "a new sign-in would help: it is asked for mcp/read mcp/write",
      ],
    ],
    [
      { machine: "robot", server: "notes", method: "tasks/cancel" },
      [
        "robot may not use notes tasks/cancel: no scope gives it",
        "scopes that count: mcp/read",
        "scopes that would give it: mcp/write",
      ],
    ],
    [
      { group: ["strangers"], tool: "notes/list_notes" },
      [
        "a user in strangers may not use notes/list_notes: no scope gives it",
        "groups: strangers",
        "scopes that count: none",
        "scopes that would give it: mcp/read mcp/write",
      ],
    ],
  ])("%j", async (args, lines) => {
    const { code, stdout, lines: errors } = await explain(args);
    expect({ code, errors }).toEqual({ code: 0, errors: [] });
    expect(stdout.replaceAll(file, "FILE").trimEnd().split("\n")).toEqual(lines);
  });

  test("--json", async () => {
    const { stdout } = await explain({ json: true, machine: "robot", tool: "notes/list_notes" });
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "machine",
      name: "robot",
      scopes: ["mcp/read"],
      allow: true,
      rule: 'scopes."mcp/read".allow[0]',
      scope: "mcp/read",
      given_by: [],
    });
  });

  test("by a token, which is read and not verified", async () => {
    const claims = { sub: "5a11", aud: "https://mcp.example.com/notes/mcp", scope: "mcp/read", principal: "user" };
    const token = (change: object) =>
      ["e30", Buffer.from(JSON.stringify({ ...claims, ...change })).toString("base64url"), "x"].join(".");
    const byToken = async (text: string) => {
      const { stdout, lines } = await explain({ token: true, tool: "notes/list_notes" }, text);
      return [stdout, ...lines].join("");
    };
    expect(await byToken(token({}))).toContain("5a11 may use notes/list_notes");
    expect(await byToken(token({ scope: "" }))).toContain("5a11 may not use notes/list_notes");
    expect(await byToken(token({ aud: "https://mcp.example.com/clock/mcp" }))).toContain(
      "opens nothing at https://mcp",
    );
    const hosts = settings.replace('mcp"\n[scopes', 'mcp"\nhosts = ["notes.example.com"]\n[scopes');
    const config = await settingsFile("hosts.toml", hosts);
    const aud = "https://notes.example.com/mcp";
    expect((await explain({ config, token: true, tool: "notes/list_notes" }, token({ aud }))).stdout).toContain(
      "may use",
    );
    expect(await byToken("nothing")).toBe("standard input holds no access token of Sallyport's");
    expect(await byToken(token({ exp: 1 }))).toContain("the token ended on 1970-01-01T00:00:01.000Z");

    const inFile = await settingsFile("token.txt", `${token({ scope: "mcp/write" })}\n`);
    const write = { token: inFile, tool: "notes/add_note" };
    expect((await explain(write)).stdout).toContain("5a11 may use notes/add_note");
    // With the groups it is what both give; deny rules for groups count, too.
    expect((await explain({ ...write, group: ["readers"] })).stdout).toContain("5a11 may not use notes/add_note");
    expect((await explain({ ...write, group: ["writers"] })).stdout).toContain("5a11 may use notes/add_note");
  });

  test("a token in the command line is refused, and not repeated", async () => {
    const { code, stdout, lines } = await explain({ token: "eyJhbGciOiJub25lIn0.e30.x", tool: "notes/list_notes" });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(lines.join()).toBe("a token on the command line can be seen by others: give --token a file, or - for stdin");
  });

  test.each<[ExplainOptions, string]>([
    [{ user: "ann", tool: "notes/x" }, "which groups ann is in is known to Cognito only: name them with --group"],
    [{ group: ["readers"] }, "name what is asked: --tool SERVER/TOOL"],
    [{ group: ["readers"], tool: "notes" }, "--tool notes is not of the form SERVER/TOOL"],
    [{ group: ["readers"], tool: "gone/x" }, "there is no server gone; there are: notes"],
    [{ machine: "gone", tool: "notes/x" }, "there is no machine gone; there are: robot"],
    [{ tool: "notes/x" }, "name whom it is about"],
    [{ claim: ["team"], tool: "notes/x" }, "--claim team is not of the form NAME=TEXT"],
    [{ claim: ["team:=finance"], tool: "notes/x" }, "what follows := must be JSON"],
    [{ claim: ["team=x"], machine: "robot", tool: "notes/x" }, "give one of --user (or --group) and --machine"],
    [{ token: true, user: "ann", tool: "notes/x" }, "give --token without --user, --machine, --scope"],
    [{ token: "/no/such/file", tool: "notes/x" }, "/no/such/file cannot be read: there is no such file"],
  ])("%j is told in one line", async (args, message) => {
    const { code, stdout, lines } = await explain(args);
    expect({ code, stdout, count: lines.length }).toEqual({ code: 1, stdout: "", count: 1 });
    expect(lines[0]).toContain(message);
  });
});

describe("claims", () => {
  const claims = `[[claims]]
claim = "custom:team"
values = ["writers"]
scopes = ["mcp/write"]
[[claims]]
claim = "level"
values = [5]
scopes = ["mcp/read"]
[[policy_tests]]
claims = { "custom:team" = "writers" }
allow = ["notes/add_note"]
[[policy_tests]]
groups = ["readers"]
claims = { "custom:team" = ["x"], level = 5 }
deny = ["notes/add_note"]
`;
  const withClaims = () => settingsFile("claims.toml", `${settings}${claims}`);
  const verdict = async (claim: readonly string[], tool = "notes/add_note") => {
    const { stdout, lines } = await explain({ config: await withClaims(), claim, tool });
    return [...lines, stdout.split("\n")[0] ?? ""].join("");
  };

  test("explain: a text, a list and a number, each for what it is", async () => {
    expect(await verdict(["custom:team=writers"])).toMatch(/^a user with custom:team may use notes\/add_note: scopes/);
    expect(await verdict(['custom:team:=["a", "writers"]'])).toContain("may use");
    expect(await verdict(["custom:team=readers"])).toContain("may not use");
    expect(await verdict(["level:=5"], "notes/list_notes")).toContain("may use");
    expect(await verdict(["level=5"], "notes/list_notes")).toContain("may not use");
  });

  test("matrix has a column for each value, and expectations may name claims", async () => {
    const config = await withClaims();
    const { stdout } = await matrix({ config });
    expect(stdout.split("\n").slice(0, 3)).toEqual([
      "tool               readers  writers  custom:team=writers  level:=5  robot",
      "notes/add_note     -        yes      yes                  -         -",
      "notes/delete_note  -        -        -                    -         -",
    ]);
    expect(await outcomeOf(() => testPolicy({ config }))).toMatchObject({
      code: 0,
      stdout: "ok: 2 expectations hold\n",
    });
  });
});

describe("sallyport policy matrix", () => {
  test("as a table", async () => {
    const { code, stdout, lines } = await matrix();
    expect({ code, lines }).toEqual({ code: 0, lines: [] });
    expect(stdout).toBe(`tool               readers  writers  robot
notes/delete_note  -        -        -
notes/list_notes   yes      yes      yes
notes/*            -        yes      -
`);
  });

  test("as JSON and as CSV", async () => {
    const json: unknown = JSON.parse((await matrix({ json: true })).stdout);
    expect(json).toContainEqual({
      kind: "group",
      name: "writers",
      tool: "notes/delete_note",
      allow: false,
      because: `deny[0] (${file}:20) denies it`,
    });
    const csv = (await matrix({ csv: true })).stdout.split("\n");
    expect(csv).toHaveLength(1 + 9 + 1);
    expect(csv).toContain(`notes/list_notes,machine,robot,yes,"scopes.""mcp/read"".allow[0] (${file}:16) gives it"`);
  });
});

describe("sallyport policy test", () => {
  const run = async (tests: string) => {
    const config = await settingsFile("with-tests.toml", `${settings}${tests}`);
    return outcomeOf(() => testPolicy({ config }));
  };

  test("holds", async () => {
    const outcome = await run(`[[policy_tests]]
groups = ["readers"]
allow = ["notes/list_notes"]
deny = ["notes/*", "notes/delete_note"]
[[policy_tests]]
machine = "robot"
deny = ["notes/add_note"]
`);
    expect(outcome).toMatchObject({ code: 0, stdout: "ok: 4 expectations hold\n", lines: [] });
  });

  test("names every expectation that does not hold, with its place and the rule", async () => {
    const { code, stdout, lines } = await run(`[[policy_tests]]
groups = ["writers"]
allow = ["notes/list_notes", "notes/delete_note"]
deny = ["notes/add_note"]
`);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(lines.map((line) => line.replace(/\/\S*with-tests\.toml/g, "FILE"))).toEqual([
      "policy_tests[0].allow[1] (FILE:25): a user in writers may not call notes/delete_note: deny[0] (FILE:20) denies it",
      'policy_tests[0].deny[0] (FILE:26): a user in writers may call notes/add_note: scopes."mcp/write".allow[0] (FILE:19) gives it',
    ]);
  });

  test.each([
    ["", "there are no expectations; write them under [[policy_tests]]"],
    [`[[policy_tests]]\nallow = ["notes/x"]\n`, "give either groups (and claims) or machine"],
    [`[[policy_tests]]\ngroups = []\n`, "expects nothing; add allow or deny"],
    [`[[policy_tests]]\nmachine = "gone"\nallow = ["nots/x"]\n`, 'there is no machine "gone" (known: robot)'],
  ])("%j is refused", async (tests, message) => {
    const { code, lines } = await run(tests);
    expect(code).toBe(1);
    expect(lines[0]).toContain(message);
  });
});

describe("of the local environment that runs", () => {
  const state = async (): Promise<string> => {
    const where = join(folder, "state");
    const client = { client_id: "app", client_secret: "x" };
    const description = {
      gateway: "http://localhost:8000",
      issuer: "http://localhost:8000",
      cognito: { url: "http://localhost:9229", user_pool_id: "eu-central-1_SallyDemo", ...client },
      users: [
        { username: "alice@example.com", password: "x", groups: ["mcp-admins", "mcp-developers"] },
        { username: "bob@example.com", password: "x", groups: ["mcp-readers"] },
        { username: "carol@example.com", password: "x", groups: [] },
      ],
      machine: { client_id: "machine", client_secret: "x" },
      servers: ["clock", "notes", "everything"].map((name) => ({ name, url: `http://localhost:8000/${name}/mcp` })),
    };
    await mkdir(where);
    await writeFile(join(where, "dev.json"), JSON.stringify(description));
    return where;
  };

  test("users are known by name, and the demo's own expectations hold", async () => {
    const running = await state();
    for (const [user, tool, verdict] of [
      ["alice", "notes/delete_note", "alice@example.com may use"],
      ["bob@example.com", "notes/add_note", "bob@example.com may not use"],
      ["carol", "clock/now", "carol@example.com may not use"],
    ] as const) {
      const { stdout } = await explain({ user, tool, state: running });
      expect(stdout).toContain(`${verdict} ${tool}`);
    }
    const unknown = await explain({ user: "dora", tool: "clock/now", state: running });
    expect(unknown.lines.at(-1)).toContain("the local Cognito has no user dora; it has: alice@example.com");
    const outcome = await outcomeOf(() => testPolicy({ state: running }));
    expect(outcome).toMatchObject({ code: 0, stdout: "ok: 13 expectations hold\n", lines: [] });
  });

  test("a folder where none runs is told", async () => {
    const { code, lines } = await outcomeOf(() => showMatrix({ state: join(folder, "gone") }));
    expect(code).toBe(1);
    expect(lines[0]).toContain("nothing runs in");
  });
});
