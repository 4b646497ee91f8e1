import { randomBytes } from "node:crypto";
import { secretHash } from "sallyport";
import { CommandFailure } from "../process/failure.ts";
import { writeLine } from "../process/output.ts";

/** What a hash that anyone may read can stand for: fewer characters could be found by trying. */
const shortest = 32;
const mostDistinct = 10;
const longest = 1024;

/**
 * `sallyport secret`: makes a secret of 256 random bits and shows it with the hash that goes into the settings. With
 * `--stdin` it hashes one that there is already, and does not show it.
 * @param stdin where `--stdin` reads from
 * @throws CommandFailure for a secret that could be guessed
 */
export async function makeSecret(
  options: { readonly stdin?: boolean; readonly json?: boolean },
  stdin: AsyncIterable<unknown>,
): Promise<number> {
  const secret = options.stdin ? await given(stdin) : randomBytes(32).toString("base64url");
  const hash = secretHash(secret);
  const shown = options.stdin ? {} : { secret };
  if (options.json) writeLine(JSON.stringify({ ...shown, secret_hash: hash }));
  else {
    if (!options.stdin) writeLine(`secret         ${secret}`);
    writeLine(`in the file    secret_hashes = ["${hash}"]`);
  }
  return 0;
}

async function given(stdin: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > longest) throw new CommandFailure(`the secret is longer than ${longest} characters`);
  }
  const secret = text.replace(/\r?\n$/, "");
  if (secret.length >= shortest && new Set(secret).size >= mostDistinct && /^[\x21-\x7e]+$/.test(secret)) return secret;
  throw new CommandFailure(
    `a secret must have at least ${shortest} characters, random ones, without spaces; make one with: sallyport secret`,
  );
}
