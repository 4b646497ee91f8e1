import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { demoUser, type TestEnvironment } from "../support/environment.ts";

/** An empty home for programs that open a browser, and a browser for them that signs a demo user in by itself. */
export interface ScriptedBrowser {
  /** For the program; `HOME` and all folders for settings are in a temporary folder. */
  readonly env: Readonly<Record<string, string>>;
  /** What the browser did so far, a line each. */
  done(): Promise<readonly string[]>;
}

/** @param who the demo user that signs in. Must be called in a test: the folder goes with it. */
export async function scriptedBrowser(environment: TestEnvironment, who: string): Promise<ScriptedBrowser> {
  const home = await mkdtemp(join(tmpdir(), "sallyport-client-"));
  onTestFinished(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const log = join(home, "browser.log");
  const { username, password } = demoUser(environment, who);
  return {
    env: {
      HOME: home,
      XDG_CONFIG_HOME: join(home, ".config"),
      XDG_DATA_HOME: join(home, ".local"),
      XDG_CACHE_HOME: join(home, ".cache"),
      MCP_REMOTE_CONFIG_DIR: join(home, ".mcp-auth"),
      MCP_INSPECTOR_SECRET_STORE: "file",
      MCP_AUTO_OPEN_ENABLED: "true",
      // The script is started by the Node that runs the tests.
      PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
      BROWSER: fileURLToPath(new URL("browser-script.mjs", import.meta.url)),
      SALLYPORT_TEST_USERNAME: username,
      SALLYPORT_TEST_PASSWORD: password,
      SALLYPORT_TEST_BROWSER_LOG: log,
      NO_COLOR: "1",
    },
    async done() {
      const text = await readFile(log, "utf8").catch(() => "");
      return text.split("\n").filter((line) => line !== "");
    },
  };
}
