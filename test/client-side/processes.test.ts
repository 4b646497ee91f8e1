import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { signInProvider } from "sallyport/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { tokenFolder } from "./session.ts";

let env: TestEnvironment;

beforeAll(async () => {
  env = await startEnvironment();
});

afterAll(() => env.close());

const script = fileURLToPath(new URL("asking-process.ts", import.meta.url));

function askingProcess(url: string, folder: string, ahead: number) {
  const args = ["--conditions=sallyport-source", script, url, folder, String(ahead)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    ready: async () => expect((await lines.next()).value).toBe("ready"),
    async ask(): Promise<{ accessToken: string; refreshToken: string; asked: number }> {
      child.stdin.write("go\n");
      const { value } = await lines.next();
      await once(child, "exit");
      return JSON.parse(String(value));
    },
  };
}

describe("several processes of one user", () => {
  it("refresh once between them, and all get the new token", async () => {
    const url = `${env.url}/clock/mcp`;
    const folder = tokenFolder();
    const alice = signInProvider({
      serverUrl: url,
      folder,
      clientName: "Test program",
      runtime: { clock: env.clock },
      browser: {
        open: (page) => void signIn(page.href, demoUser(env, "alice")).then((location) => fetch(location)),
      },
    });
    await alice.signIn();
    const first = await alice.tokens();
    const ahead = 595_000;
    env.clock.advance(ahead);
    const processes = [1, 2, 3].map(() => askingProcess(url, folder, ahead));
    await Promise.all(processes.map(({ ready }) => ready()));
    const answers = await Promise.all(processes.map(({ ask }) => ask()));

    expect(answers.map(({ asked }) => asked).sort()).toEqual([0, 0, 1]);
    const [answer] = answers;
    expect(answer?.accessToken).not.toBe(first?.access_token);
    for (const other of answers) expect(other.accessToken).toBe(answer?.accessToken);
    expect((await alice.tokens())?.refresh_token).toBe(answer?.refreshToken);
    expect(env.audit.filter(({ action }) => action === "token.refreshed")).toHaveLength(1);
    // Nothing half-written is left.
    expect(readdirSync(folder).filter((name) => !/\.(json|json\.lock|json\.write)$/.test(name))).toEqual([]);
  });
});
