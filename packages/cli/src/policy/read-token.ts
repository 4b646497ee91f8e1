import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { CommandFailure, systemReason } from "../process/failure.ts";

/** What an access token of ours says of its holder. */
export type TokenClaims = z.output<typeof claims>;

const claims = z.object({
  sub: z.string(),
  aud: z.string(),
  scope: z.string(),
  principal: z.enum(["user", "machine"]),
  exp: z.number().optional(),
});

/**
 * Reads an access token. It is not verified: nobody gets anything by it.
 * @param from a file, or `-` for standard input
 * @throws CommandFailure if there is none; no message repeats what was read
 */
export async function readToken(from: string, input: NodeJS.ReadableStream): Promise<TokenClaims> {
  if (from.startsWith("eyJ")) {
    throw new CommandFailure("a token on the command line can be seen by others: give --token a file, or - for stdin");
  }
  const token = from === "-" ? await text(input) : await readFile(from, "utf8").catch((error: unknown) => error);
  if (typeof token !== "string") throw new CommandFailure(`${from} cannot be read: ${systemReason(token)}`);
  const { data } = claims.safeParse(payloadOf(token));
  if (data) return data;
  throw new CommandFailure(`${from === "-" ? "standard input" : from} holds no access token of Sallyport's`);
}

function payloadOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.trim().split(".")[1] ?? "", "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
