import { constantTimeEqual, hmac, labelledHash, type RootKey, type RootKeys, toBase64Url } from "../crypto/index.ts";

/**
 * Codes and refresh tokens: `<grant id>.<n>.<kid>.<secret>.<tag>`. n is 0 for the code and counts refresh tokens from 1,
 * so that neither passes for the other. The tag is an HMAC over what precedes it: a token that was never given out is
 * refused without touching the store, and nobody can end a grant by guessing.
 */
export interface HandleToken {
  readonly grantId: string;
  readonly n: number;
  readonly key: RootKey;
  readonly secret: string;
  /** What the grant keeps of it. */
  readonly hash: string;
  readonly text: string;
}

const form = /^([A-Za-z0-9_-]{43})\.(0|[1-9]\d{0,8})\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{22})$/;

const tagOf = (key: RootKey, body: string): string =>
  toBase64Url(hmac(key.tag, `handle token\0${body}`).subarray(0, 16));

/** Composes a token under a root key. */
export function handleToken(grantId: string, n: number, key: RootKey, secret: string): HandleToken {
  const body = `${grantId}.${n}.${key.kid}.${secret}`;
  const text = `${body}.${tagOf(key, body)}`;
  return { grantId, n, key, secret, hash: labelledHash("handle-token", text), text };
}

/** Reads a token that was composed here, or answers undefined. */
export function parseHandleToken(text: string, keys: RootKeys): HandleToken | undefined {
  const match = form.exec(text);
  if (!match) return undefined;
  const [, grantId = "", n = "", kid = "", secret = "", tag = ""] = match;
  const key = keys.find(kid);
  if (!key) return undefined;
  const token = handleToken(grantId, Number(n), key, secret);
  return constantTimeEqual(tag, token.text.slice(-22)) ? token : undefined;
}
