import { readFileSync, rmSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CommandFailure } from "../process/failure.ts";

/** What a script needs to use the running environment. The names are part of the command's stable surface. */
export interface DevDescription {
  /** Origin of the gateway. */
  readonly gateway: string;
  readonly issuer: string;
  readonly cognito: {
    readonly url: string;
    readonly user_pool_id: string;
    readonly client_id: string;
    readonly client_secret: string;
  };
  readonly users: readonly {
    readonly username: string;
    readonly password: string;
    readonly groups: readonly string[];
  }[];
  readonly machine: { readonly client_id: string; readonly client_secret: string };
  /** The MCP servers as clients reach them, through the gateway. */
  readonly servers: readonly { readonly name: string; readonly url: string }[];
  /** The demo servers themselves, which only programs on this machine reach. */
  readonly upstreams: readonly { readonly name: string; readonly url: string }[];
}

const fileOf = (folder: string): string => join(folder, "dev.json");

/**
 * What runs now, as its folder tells.
 * @returns `undefined` where nothing runs
 * @throws CommandFailure for a file that is no such description
 */
export function readDescription(folder: string): DevDescription | undefined {
  let text: string;
  try {
    text = readFileSync(fileOf(folder), "utf8");
  } catch {
    return undefined;
  }
  const parsed = description.safeParse(parseJson(text));
  if (!parsed.success)
    throw new CommandFailure(`${fileOf(folder)} is not what \`sallyport dev\` wrote; start it again`);
  return parsed.data;
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const description = z.object({
  gateway: z.string(),
  issuer: z.string(),
  cognito: z.object({ url: z.string(), user_pool_id: z.string(), client_id: z.string(), client_secret: z.string() }),
  users: z.array(z.object({ username: z.string(), password: z.string(), groups: z.array(z.string()) })),
  machine: z.object({ client_id: z.string(), client_secret: z.string() }),
  servers: z.array(z.object({ name: z.string(), url: z.string() })),
  upstreams: z.array(z.object({ name: z.string(), url: z.string() })).default([]),
});

/** Removes a description that an earlier run left behind: what it describes no longer runs. */
export const removeStaleDescription = (folder: string): Promise<void> => rm(fileOf(folder), { force: true });

/**
 * Writes `dev.json` (0600) in one step, so that no reader sees half of it.
 * @returns how to remove it again, which is synchronous so that a dying process can do it
 */
export async function writeDescription(folder: string, description: DevDescription): Promise<() => void> {
  const file = fileOf(folder);
  const text = `${JSON.stringify(description, null, 2)}\n`;
  const draft = `${file}.${process.pid}`;
  try {
    await writeFile(draft, text, { mode: 0o600 });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return () => {
    try {
      // Another run may have put its own there.
      if (readFileSync(file, "utf8") === text) rmSync(file);
    } catch {
      // It is gone, with the folder perhaps.
    }
  };
}
