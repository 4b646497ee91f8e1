import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { labelledHash, toBase64Url } from "../crypto/index.ts";
import type { Clock, Random } from "../runtime/index.ts";
import { lockFile } from "./file-lock.ts";

/** How long one process waits for another's request to the authorization server, ms. */
const longestWait = 30_000;

const clientSchema = z.looseObject({
  client_id: z.string(),
  client_secret: z.string().optional(),
  issuer: z.string().optional(),
});

const tokensSchema = z.object({
  access_token: z.string(),
  token_type: z.string(),
  refresh_token: z.string().optional(),
  scope: z.string().optional(),
  expires_in: z.number().optional(),
  issuer: z.string().optional(),
});

const signInSchema = z.object({
  client: clientSchema.optional(),
  tokens: tokensSchema.optional(),
  /** The resource indicator (RFC 8707) that the tokens are for, as the server's metadata spells it. */
  indicator: z.string().optional(),
  /** End of the access token, milliseconds since the Unix epoch; unknown where the server does not say. */
  expiresAt: z.number().optional(),
});

const fileSchema = z.object({
  version: z.literal(1),
  resource: z.string(),
  /** The issuer whose tokens were saved last. */
  latest: z.string().optional(),
  issuers: z.record(z.string(), signInSchema),
});

/** What is kept of one issuer for one resource. */
export type CachedSignIn = z.infer<typeof signInSchema>;
export type CachedTokens = z.infer<typeof tokensSchema>;

/** The tokens of one identity for one resource, on disk, shared by the processes of one user. */
export interface TokenCache {
  /** What is kept of an issuer; without one, of the issuer whose tokens were saved last. */
  read(issuer?: string): Promise<{ readonly issuer: string; readonly kept: CachedSignIn } | undefined>;
  /** Changes what is kept of an issuer, as a whole or not at all. */
  change(issuer: string, change: (kept: CachedSignIn) => CachedSignIn): Promise<void>;
  /** Forgets everything. */
  clear(): Promise<void>;
  /**
   * The right to ask the authorization server for this identity: one process at a time.
   * @returns what gives it back
   */
  lock(): Promise<() => void>;
}

/**
 * Opens the cache of one identity for one resource. The folder is made 0700 where it is missing, files are 0600 and replaced as a whole.
 * @param options.resource URL of the MCP server
 * @param options.identity who: one name for the user, another for each machine
 */
export function tokenCache(options: {
  readonly folder: string;
  readonly resource: string;
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
}): TokenCache {
  const { folder, resource, identity, clock, random } = options;
  const name = labelledHash("client token cache", JSON.stringify([resource, identity]));
  const path = join(folder, `${name}.json`);
  const empty = { version: 1 as const, resource, issuers: {} };

  const load = async (): Promise<z.infer<typeof fileSchema>> => {
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text === undefined) return empty;
    // What cannot be read is a cache that is not there: at worst the user signs in again.
    const parsed = fileSchema.safeParse(jsonOrNothing(text));
    return parsed.success && parsed.data.resource === resource ? parsed.data : empty;
  };

  const store = async (content: z.infer<typeof fileSchema>): Promise<void> => {
    const temporary = `${path}.${toBase64Url(random.bytes(9))}`;
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(JSON.stringify(content));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  };

  // A folder that is there already may be for other things as well, and keeps its mode; the files are closed in any case.
  const prepare = () => mkdir(folder, { recursive: true, mode: 0o700 });

  const exclusively = async (work: () => Promise<void>): Promise<void> => {
    await prepare();
    const unlock = await lockFile(`${path}.write`, clock, longestWait);
    try {
      await work();
    } finally {
      unlock();
    }
  };

  return {
    async read(wanted) {
      const { latest, issuers } = await load();
      const issuer = wanted ?? latest;
      const kept = issuer === undefined ? undefined : issuers[issuer];
      return issuer === undefined || kept === undefined ? undefined : { issuer, kept };
    },
    change: (issuer, change) =>
      exclusively(async () => {
        const before = await load();
        const kept = change(before.issuers[issuer] ?? {});
        const latest = kept.tokens ? issuer : before.latest;
        const issuers = { ...before.issuers, [issuer]: kept };
        await store({ ...before, ...(latest === undefined ? {} : { latest }), issuers });
      }),
    clear: () => exclusively(() => rm(path, { force: true })),
    async lock() {
      await prepare();
      return lockFile(`${path}.lock`, clock, longestWait);
    },
  };
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
