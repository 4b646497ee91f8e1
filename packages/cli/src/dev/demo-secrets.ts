import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CommandFailure, errorCode, systemReason } from "../process/failure.ts";
import type { DemoClients } from "./demo-pool.ts";

const secret = z.string().regex(/^[\w-]{43}$/);

const demoSecrets = z.strictObject({
  /** Root secret of the gateway. */
  root: secret,
  /** Secret of the app client that signs users in. */
  client: secret,
  /** Secret of the machine client. */
  machine: secret,
});

/** The secrets of the demo; the same for as long as their state folder lives, so that tokens survive a restart. */
export type DemoSecrets = z.output<typeof demoSecrets>;

export const newDemoSecrets = (): DemoSecrets => {
  const make = (): string => randomBytes(32).toString("base64url");
  return { root: make(), client: make(), machine: make() };
};

/** The demo's app clients with their secrets. */
export const demoClients = (secrets: DemoSecrets): DemoClients => ({
  clientId: "sallyportdemo",
  clientSecret: secrets.client,
  machineId: "demomachine",
  machineSecret: secrets.machine,
});

const fileOf = (folder: string): string => join(folder, "secrets.json");

/**
 * The secrets of a state folder; `undefined` if it has none yet.
 * @throws CommandFailure if they cannot be read; the message holds nothing of them
 */
export async function readDemoSecrets(folder: string): Promise<DemoSecrets | undefined> {
  const file = fileOf(folder);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (errorCode(error) === "ENOTDIR") return undefined;
    throw new CommandFailure(`${file} cannot be read: ${systemReason(error)}`);
  }
  const parsed = demoSecrets.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new CommandFailure(`${file} does not hold the demo's secrets; remove the folder ${folder} to start afresh`);
}

/** Keeps new secrets (0600). Rejects with the system's error if there are some already, or it cannot write. */
export async function keepDemoSecrets(folder: string, secrets: DemoSecrets): Promise<void> {
  await writeFile(fileOf(folder), `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flag: "wx" });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
