import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import type { DevOptions } from "./dev/run-dev.ts";
import type { ServeOptions } from "./serve/run-serve.ts";

// What a command does is imported when it is run: help must not wait for it.

const file = "settings in TOML";

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
    .addHelpText("after", serveHelp)
    .action(async (options: ServeOptions) => setStatus(await (await import("./serve/run-serve.ts")).runServe(options)));

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
  return program;
}

const devHelp = `
Prints "ready <url>" to stdout when everything answers; all else goes to stderr. <state>/dev.json then tells scripts
what runs: addresses, users, client ids and secrets.

--config: each setting of the file takes the place of the demo's. Its servers replace the demo servers, its groups the
demo's groups. With scopes of its own the demo's groups and machine are left out too. Each group that only the file
names is made in the local Cognito, with alice in it. base_url, issuer, listen, [cognito], secret and store are always
the demo's; so are COGNITO_… and their SALLYPORT_… variables. Other SALLYPORT_… variables count as usual.

What was signed in stays so after a restart, until the gateway asks Cognito again (tokens.upstream_max_age, 15m): the
local Cognito itself forgets everything.`;

const serveHelp = `
Settings come from the file and from SALLYPORT_… and COGNITO_… variables, which count more. SALLYPORT_SECRET, the root
secret, must be set: at least 32 random bytes, such as from "openssl rand -base64 32".
Prints "ready <base_url>" to stdout when it listens; logs go to stderr. SIGTERM or SIGINT ends it.`;

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("It must be a number from 1 to 65535.");
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "";
}
