import { Command, InvalidArgumentError } from "commander";
import type { VerifyOptions } from "./audit/verify-audit.ts";
import type { DevOptions } from "./dev/run-dev.ts";
import type { EndGrantsOptions } from "./grants/end-grants.ts";
import type { RotateOptions } from "./keys/rotate-keys.ts";
import type { ExplainOptions } from "./policy/explain.ts";
import type { ImportOptions } from "./policy/import/import-scopes.ts";
import type { MatrixOptions } from "./policy/matrix.ts";
import type { PolicySource } from "./policy/read-policy.ts";
import { version } from "./process/version.ts";
import type { ServeOptions } from "./serve/run-serve.ts";

// What a command does is imported when it is run: help must not wait for it.

const file = "settings in TOML";
const policyFile = `${file}; without it those of the dev that runs here, else the environment alone`;
const policyState = "the dev whose settings are meant, by its state folder (default: .sallyport, if one runs there)";

/**
 * The commands and their options.
 * @param setStatus told the exit status of the command that was run
 */
export function createProgram(setStatus: (status: number) => void): Command {
  const program = new Command("sallyport")
    .description("Put MCP servers behind Amazon Cognito: sign-in, permissions and audit in front of all of them.")
    .version(version(), "-V, --version", "show the version")
    .exitOverride()
    .configureOutput({
      // Commander breaks lines in its messages; an error is to be one line.
      outputError: (text, write) => {
        const line = text
          .replace(/^error: /, "")
          .trim()
          .replace(/\s*\n\s*/g, " ")
          .replace(/\.$/, "");
        write(`sallyport: ${line}; see --help\n`);
      },
    });

  program
    .command("dev")
    .description("Run everything on this machine: a local Cognito with demo users, demo MCP servers, the gateway.")
    .option("--port <port>", "port of the gateway", portNumber, 8000)
    .option("--cognito-port <port>", "port of the local Cognito", portNumber, 9229)
    .option("--state <folder>", "what outlives the command: secrets, store, audit events", ".sallyport")
    .option("--ephemeral", "keep everything in memory; only <state>/dev.json is written, and removed at the end")
    .option("--config <file>", `${file}, over those of the demo`)
    .option("--audit <file>", "where audit events go; - is stderr (default: <state>/audit.jsonl)")
    .addHelpText("after", devHelp)
    .action(async (options: DevOptions) => setStatus(await (await import("./dev/run-dev.ts")).runDev(options)));

  program
    .command("serve")
    .description("Run the gateway in front of your MCP servers, with your user pool.")
    .option("--config <file>", `${file}; without it the environment alone`)
    .option("--audit <file>", "where audit events go; - is stdout", "-")
    .option("--workers <n>", "processes behind one address; auto: one for each core (default: the setting, 1)", workers)
    .addHelpText("after", serveHelp)
    .action(async (options: ServeOptions) => setStatus(await (await import("./serve/run-serve.ts")).runServe(options)));

  program
    .command("secret")
    .description("Make a client secret, and the hash of it that goes into the settings.")
    .option("--stdin", "read a secret from standard input instead, and show its hash alone")
    .option("--json", "as JSON: { secret, secret_hash }")
    .addHelpText("after", secretHelp)
    .action(async (options: { readonly stdin?: boolean; readonly json?: boolean }) =>
      setStatus(await (await import("./secret/make-secret.ts")).makeSecret(options, process.stdin.setEncoding("utf8"))),
    );

  const config = program.command("config").description("Look at the settings without starting anything.");
  config
    .command("check")
    .description("List everything that is wrong with the settings; exit status 1 if there is anything.")
    .option("--config <file>", `${file}; without it the environment alone`)
    .action(async (options: { readonly config?: string }) =>
      setStatus(await (await import("./config/check-config.ts")).checkConfig(options)),
    );
  config
    .command("show")
    .description("Show every setting with its value (secrets masked) and where it comes from.")
    .option("--config <file>", `${file}; without it the environment alone`)
    .option("--json", "as a JSON list of { setting, value, source }")
    .action(async (options: { readonly config?: string; readonly json?: boolean }) =>
      setStatus(await (await import("./config/show-settings.ts")).showSettings(options)),
    );

  const policy = program.command("policy").description("Ask the rules who may use what, without starting anything.");
  policy
    .command("explain")
    .description("Say whether somebody may call a tool, and which rule or missing scope it is that decides.")
    .option("--tool <server/tool>", "the tool that is called")
    .option("--server <name>", "with --method: a request that calls no tool")
    .option("--method <method>", "such as resources/read")
    .option("--user <name>", "a user; of the local Cognito, or with --group")
    .option("--group <name...>", "the user's Cognito groups")
    .option("--claim <name=text...>", "claims of the user's sign-in, such as custom:team=finance; level:=5 is a number")
    .option("--machine <id>", "a machine, by client id")
    .option("--token [file]", "whoever holds the access token in the file; - or nothing is standard input")
    .option("--scope <name...>", "what the token holds, where that is less than could be had")
    .option("--config <file>", policyFile)
    .option("--state <folder>", policyState)
    .option("--json", "as JSON: { allow, because, rule, scope, scopes, given_by, challenge, … }")
    .addHelpText("after", explainHelp)
    .action(async (options: ExplainOptions) =>
      setStatus(await (await import("./policy/explain.ts")).explainPolicy(options, process.stdin)),
    );
  policy
    .command("matrix")
    .description("Show which group, claim and machine may use what. Status 0, but 1 if a server could not be asked.")
    .option("--live", "ask the servers what they have: tools, prompts, resources")
    .option("--config <file>", policyFile)
    .option("--state <folder>", policyState)
    .option("--json", "as a JSON list of { kind, name, tool, allow, because }; with --live as { cells, remarks }")
    .option("--csv", "as CSV with the same columns; remarks of --live go to stderr")
    .addHelpText("after", matrixHelp)
    .action(async (options: MatrixOptions) =>
      setStatus(await (await import("./policy/matrix.ts")).showMatrix(options)),
    );
  policy
    .command("test")
    .description("Compare the rules with what policy_tests in the settings expects; exit status 1 if they differ.")
    .option("--config <file>", policyFile)
    .option("--state <folder>", policyState)
    .action(async (options: PolicySource) =>
      setStatus(await (await import("./policy/run-tests.ts")).testPolicy(options)),
    );

  const audit = program.command("audit").description("Look at audit files.");
  audit
    .command("verify <file...>")
    .description(
      "Check that audit lines are all there, as they were written; exit status 1 if not. - is standard input.",
    )
    .option("--config <file>", `${file}, for the root secrets; without it SALLYPORT_SECRET alone`)
    .option("--state <folder>", "the dev whose root secret is meant, by its state folder")
    .option("--expect <head...>", "chain:seq:hash, as a log or an earlier check said; it must be there")
    .option("--json", "as JSON: { whole, chains, findings }")
    .addHelpText("after", verifyHelp)
    .action(async (files: readonly string[], options: VerifyOptions) =>
      setStatus(await (await import("./audit/verify-audit.ts")).verifyAudit(files, options, process.stdin)),
    );

  policy
    .command("import <file>")
    .description("Write the scopes of mcp-gateway-registry as settings, and tell what is left out or means less.")
    .option("--server <name=url...>", "the MCP endpoint of a server in the file; each becomes one of [[servers]]")
    .addHelpText("after", importHelp)
    .action(async (source: string, options: ImportOptions) =>
      setStatus(await (await import("./policy/import/import-scopes.ts")).importPolicy(source, options, process.stdin)),
    );

  const keys = program.command("keys").description("Look at signing keys and root secrets, and change them.");
  keys
    .command("status")
    .description("Show every signing key with what happens to it next, and what still needs each root secret.")
    .option("--config <file>", `${file}, those of the gateway; without it the environment alone`)
    .option("--json", "as JSON: { keys, sealed_under, sealed_by_active, root_secrets, … }")
    .addHelpText("after", keysStatusHelp)
    .action(async (options: { readonly config?: string; readonly json?: boolean }) =>
      setStatus(await (await import("./keys/show-keys.ts")).showKeys(options)),
    );
  keys
    .command("rotate")
    .description("Change the signing key: published first, in order; with --now at once.")
    .option("--config <file>", `${file}, those of the gateway; without it the environment alone`)
    .option("--now", "a key may have leaked: another signs at once, and what the old ones signed is refused")
    .option("--keep", "with --now: what the old ones signed holds until it is over")
    .option("--audit <file>", "where audit events go; - is stdout (default: nowhere)")
    .addHelpText("after", rotateHelp)
    .action(async (options: RotateOptions) =>
      setStatus(await (await import("./keys/rotate-keys.ts")).rotateKeys(options)),
    );

  keys
    .command("reseal")
    .description("Seal every record under the active key, so that an old root secret can go; servers may run.")
    .option("--config <file>", `${file}, those of the gateway; without it the environment alone`)
    .option("--audit <file>", "where the audit event goes; - is stdout (default: nowhere)")
    .option("--json", "as JSON: { resealed, current, unreadable }")
    .addHelpText("after", resealHelp)
    .action(async (options: { readonly config?: string; readonly audit?: string; readonly json?: boolean }) =>
      setStatus(await (await import("./keys/reseal-keys.ts")).resealKeys(options)),
    );

  const store = program.command("store").description("Make, check, save and restore what keeps the state.");
  store
    .command("init")
    .description("Make what the store needs: the SQLite file, the DynamoDB table and its time to live. Safe to repeat.")
    .option("--config <file>", `${file}, those of the gateway; without it the environment alone`)
    .action(async (options: { readonly config?: string }) =>
      setStatus(await (await import("./store/init-store.ts")).initStore(options)),
    );
  store
    .command("check")
    .description("Read every record and list what is wrong; exit status 1 if there is anything. Servers may run.")
    .option("--config <file>", `${file}, those of the gateway; without it the environment alone`)
    .option("--json", "as JSON: { records, faults: [{ kind, key, fault }], problems }")
    .action(async (options: { readonly config?: string; readonly json?: boolean }) =>
      setStatus(await (await import("./store/check-store.ts")).runStoreCheck(options)),
    );
  store
    .command("backup <file>")
    .description("Write the SQLite store as it is now to a new file (0600). Servers may run.")
    .option("--config <file>", `${file}, those of the gateway; without it the environment alone`)
    .action(async (target: string, options: { readonly config?: string }) =>
      setStatus(await (await import("./store/backup-store.ts")).backupStore(target, options)),
    );
  store
    .command("restore <file>")
    .description("Put the SQLite store back to a backup. Servers may run.")
    .option("--config <file>", `${file}, those of the gateway; without it the environment alone`)
    .option("--audit <file>", "where the audit event goes; - is stdout (default: nowhere)")
    .addHelpText("after", restoreHelp)
    .action(async (backup: string, options: { readonly config?: string; readonly audit?: string }) =>
      setStatus(await (await import("./store/restore-store.ts")).restoreStore(backup, options)),
    );

  const grants = program.command("grants").description("End sign-ins: of one user, of one client, of everyone.");
  grants
    .command("end")
    .description("End every grant that exists now. Who is concerned has to sign in again.")
    .option("--all", "of everyone")
    .option("--user <sub>", "of a user, by the sub that Cognito gave them")
    .option("--client <id>", "of a client, by its client_id")
    .option("--config <file>", `${file}, those of the gateway; without it the environment alone`)
    .option("--audit <file>", "where the audit event goes; - is stdout (default: nowhere)")
    .addHelpText("after", endGrantsHelp)
    .action(async (options: EndGrantsOptions) =>
      setStatus(await (await import("./grants/end-grants.ts")).endGrants(options)),
    );
  return program;
}

const explainHelp = `
Give one of --user (or --group, --claim), --machine and --token. Which groups a user is in is known here for the users of
the local Cognito only, while \`sallyport dev\` runs. A token is read and not verified. Its scopes are taken for given,
as the groups and claims behind it are not in it; with --group and --claim beside it, it holds what both give. What it
answers is what the gateway decides for this request now. An email given with --claim counts as verified.`;

const matrixHelp = `
A column is a user who is in that group alone, or whose sign-in has that claim alone, or a machine, with a token that
holds all they may have. Without --live tools are those that the rules and policy_tests name; SERVER/* stands for any
other. With --live each server is asked at its url, with its secret_header, for what it lists. Below the table then stand
the tools that no rule names, the rules that name tools which no server lists, and the servers that could not be asked.`;

const importHelp = `
The file is scopes.yml as of June 2025 (UI-Scopes, group_mappings, a list of servers for each scope), or has a document
for each scope as they are kept now: YAML, a JSON list, or one JSON object a line; - is standard input. Settings go to
stdout, to be added to sallyport.toml. On stderr stands, with its line, everything that is dropped or changed, and what
to know. The settings never let pass what the file did not. They are tried before they are written.`;

const rotateHelp = `
Keys change by themselves (keys.rotate_every); this is for a change before its time. Servers that run take it over.
Without --now the next key is published now and signs after keys.publish_before, so that whoever checks tokens by the
key set has seen it by then. With --now programs that check tokens elsewhere may refuse new ones for a few minutes.
Nobody has to sign in again: refresh tokens are not signed by these keys.`;

const keysStatusHelp = `
Reads every record, to count them. A root secret may go once no record and no refresh token in use needs it, and 15
minutes after every server was started with another one first: sign-ins that are under way need it that long.`;

const resealHelp = `
Put the new root secret first (or set or unset kms), restart every server, then run this. What servers write meanwhile
is kept; an interrupted run is simply run again. \`sallyport keys status\` then says when the old secret may go.`;

const restoreHelp = `
Everything is as it was at the backup, but for what must not begin again: kill switches, grants that have ended and
signing keys stay as they are now. Sign-ins and registrations of after the backup are gone, and whoever refreshed since
then has to sign in again. Back up the present state first. Redis and DynamoDB have their own means.`;

const verifyHelp = `
Any number of chains may be mixed in the files, and go on from one file to the next; the order of files does not matter.
Each line is checked under every root secret that the settings have. Without --config, and with no SALLYPORT_SECRET set,
it is the secret in .sallyport, if there is one.
Lines cut off at the end of a chain, and chains that are gone as a whole, are noticed by --expect alone. A chain may begin
behind a head that --expect names, where older files are gone.`;

const devHelp = `
Prints "ready <url>" to stdout when everything answers; all else goes to stderr. <state>/dev.json then tells scripts
what runs: addresses, users, client ids and secrets.

--config: each setting of the file takes the place of the demo's. Its servers replace the demo servers, its groups the
demo's groups. With scopes of its own the demo's groups and machine are left out too. Each group that only the file
names is made in the local Cognito, with alice in it. base_url, issuer, listen, secret, store and [cognito] (but for
resource_server, claims and user_info) are always the demo's; so are COGNITO_… and their SALLYPORT_… variables. Other
SALLYPORT_… variables count as usual.

What was signed in stays so after a restart, until the gateway asks Cognito again (tokens.upstream_max_age, 15m): the
local Cognito itself forgets everything.`;

const serveHelp = `
Settings come from the file and from SALLYPORT_… and COGNITO_… variables, which count more. SALLYPORT_SECRET, the root
secret, must be set: at least 32 random bytes, such as from "openssl rand -base64 32".
Prints "ready <base_url>" to stdout when it listens; logs go to stderr. SIGTERM or SIGINT ends it.
When the file changes, and on SIGHUP, the settings are read again and taken over without an interruption.
With several workers each is a process of its own over one store, which must not be memory:; one that dies is replaced.`;

const endGrantsHelp = `
Give one of --all, --user and --client. The switch is written to the store, which must be the one that the gateway uses,
under the same SALLYPORT_SECRET. It holds everywhere within tokens.grant_check_interval (15s); open streams are closed.
With cognito.global_sign_out a user is signed out of everything at Cognito as well.`;

const secretHelp = `
The secret is for the client, the hash for secret_hashes of a client or a resource server. The hash gives nothing away:
it may stand in the file. Two at once are possible, the old one and the new one, while a secret is changed.`;

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("It must be a number from 1 to 65535.");
}

function workers(text: string): number | "auto" {
  if (text === "auto") return text;
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 128) return Number(text);
  throw new InvalidArgumentError("It must be a number from 1 to 128, or auto.");
}
