import { type KeyObject, sign } from "node:crypto";
import { expect } from "vitest";
import { type Arena, type ArenaOptions, found } from "./arena.ts";

type Json = Readonly<Record<string, unknown>>;
type Settings = Parameters<NonNullable<ArenaOptions["change"]>>[0];

export const encode = (value: Json): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A part of a JWT, unverified: 0 the header, 1 the claims. */
export const part = (token: string, index: 0 | 1): Record<string, unknown> =>
  Object(JSON.parse(Buffer.from(found(token.split(".")[index], "no JWT"), "base64url").toString("utf8")));

/** A token signed by a P-256 key, as RFC 7518 §3.4 has it. */
export function es256(header: Json, payload: Json, key: KeyObject): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const signature = sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

/** The MCP endpoint refuses a token: 401, a challenge that says so, and nobody's grant ends. */
export async function expectRefused(arena: Arena, token: string, reason: string, path?: string): Promise<void> {
  const answer = await arena.outcome(() => arena.mcp(token, path));
  expect(answer).toMatchObject({ status: 401, error: "invalid_token", reasons: [reason], ended: [] });
  expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
}

/** A neighbour of the clock whose path begins like its own, for admins. */
export const neighbour = (settings: Settings): Pick<Settings, "servers"> => ({
  servers: [
    ...(settings.servers ?? []),
    ...(settings.servers ?? []).slice(0, 1).map(({ url }) => ({ name: "clock-x", url, requiredScopes: ["mcp/admin"] })),
  ],
});
