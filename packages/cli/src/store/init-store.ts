import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createDynamoTable,
  createLogger,
  enableDynamoTimeToLive,
  openStore,
  systemClock,
  systemRandom,
} from "sallyport";
import { CommandFailure } from "../process/failure.ts";
import { writeError, writeLine } from "../process/output.ts";
import { readSettings } from "./read-settings.ts";
import { sqlitePath } from "./sqlite-path.ts";

/**
 * `sallyport store init`: makes what the store needs, step by step, and leaves alone what is there.
 * @returns the exit status: 1 if the store is unfit all the same
 * @throws CommandFailure for settings that cannot be used, and for a step that failed
 */
export async function initStore(options: { readonly config?: string }): Promise<number> {
  const { store: url, logFormat } = await readSettings({ config: options.config, sealed: false });
  if (url.startsWith("dynamodb:")) await initTable(url);
  const path = sqlitePath(url);
  const isThere = path !== undefined && existsSync(path);
  const logger = createLogger({ level: "warn", format: logFormat, write: writeError });
  const store = await openStore(url, { clock: systemClock, random: systemRandom, logger });
  try {
    // An answer to this says that the store serves.
    await store.get("init");
    if (path !== undefined) writeLine(isThere ? `${path} is there already` : `made ${path}`);
    if (url === "memory:") writeLine("memory: needs nothing made");
    if (url.startsWith("redis")) writeLine("Redis answers; it needs nothing made");
    const problems = (await store.problems?.()) ?? [];
    for (const problem of problems) writeLine(`problem: ${problem}`);
    return problems.length > 0 ? 1 : 0;
  } finally {
    await store.close();
  }
}

async function initTable(url: string): Promise<void> {
  const made = await step(() => createDynamoTable(url, (ms) => sleep(ms)), {
    fault: "the table could not be made",
    needs: "it takes dynamodb:CreateTable and dynamodb:DescribeTable",
  });
  writeLine(made ? "made the table" : "the table is there already");
  const turnedOn = await step(() => enableDynamoTimeToLive(url), {
    fault: "the table is there, but its time to live could not be turned on",
    needs:
      "it takes dynamodb:DescribeTimeToLive and dynamodb:UpdateTimeToLive. Nothing that is over counts without it, but it is never removed",
  });
  writeLine(turnedOn ? "turned on its time to live" : "its time to live is on already");
}

async function step<T>(work: () => Promise<T>, told: { readonly fault: string; readonly needs: string }): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? `${error.name}: ${error.message.replace(/\s*\n\s*/g, " ")}` : "unknown";
    throw new CommandFailure(`${told.fault} (${message}); ${told.needs}`);
  }
}
