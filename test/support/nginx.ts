import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { describe } from "vitest";
import { listens } from "./command.ts";

/** Where the set-up step found it. */
const nginxProgram = process.env.SALLYPORT_TEST_NGINX ?? "/usr/sbin/nginx";

/** Suites that need nginx. Skipped where there is none, but never under CI: the set-up step installs it. */
export const describeWithNginx: typeof describe.skip =
  existsSync(nginxProgram) || process.env.CI ? describe : describe.skip;

/**
 * An nginx of the tests' own, with everything it writes in a folder that goes with it.
 * @param http what stands in its `http` block
 * @param port one that it then listens on
 */
export async function startNginx(http: string, port: number): Promise<{ close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-nginx-"));
  const file = join(folder, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder};`);
  // Started by root it would work as somebody else, who may not write there.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  await writeFile(
    file,
    `${user} daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr warn;
events {}
http { access_log off; ${temporary.join(" ")}
${http}
}
`,
  );
  const child = spawn(nginxProgram, ["-p", folder, "-c", file], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      said += error.message;
      resolve();
    });
  });
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  while (!(await listens(port))) {
    if (ended) throw new Error(`nginx ended: ${said}`);
    await after(5);
  }
  return {
    async close() {
      child.kill("SIGQUIT");
      const late = setTimeout(() => child.kill("SIGTERM"), 500);
      await exited;
      clearTimeout(late);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
