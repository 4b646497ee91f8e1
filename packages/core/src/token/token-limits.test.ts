import { expect, test } from "vitest";
import type { Client, VerifiedClient } from "../clients/index.ts";
import type { SharedLimit } from "../limits/index.ts";
import type { Grant } from "../records/index.ts";
import { tokenLimits } from "./token-limits.ts";

/** Limits that note what is taken from them, and refuse where they are told to. */
function notedLimits(refusing?: "token" | "client" | "principal") {
  const taken: string[] = [];
  const verdict = (name: string) => (name === refusing ? { ok: false as const, retryAfter: 7 } : { ok: true as const });
  const limiter = (name: string) => ({
    take(key: string) {
      taken.push(`${name} ${key}`);
      return verdict(name);
    },
    giveBack: (key: string) => void taken.push(`${name} ${key} back`),
  });
  const shared = (name: string): SharedLimit => ({
    async take(id) {
      taken.push(`${name} ${id}`);
      return verdict(name);
    },
  });
  const limits = {
    token: limiter("token"),
    introspect: limiter("introspect"),
    failedClientAuth: limiter("failed"),
    client: shared("client"),
    principal: shared("principal"),
    resourceServer: shared("server"),
  };
  return { limits, taken };
}

// What authentication would have made of it.
const client = (origin: Client["origin"], method: "none" | "client_secret"): VerifiedClient =>
  ({
    clientId: "c",
    origin,
    authentication: [method === "none" ? { method } : { method, matches: () => true }],
  }) as unknown as VerifiedClient;

const grant = (upstream: Grant["upstream"]): Grant => ({
  state: "live",
  principal: "user",
  createdAt: 0,
  clientId: "c",
  resource: "r",
  scopes: [],
  absoluteUntil: 1,
  ...(upstream && { upstream }),
});

const alice = grant({
  kind: "cognito_session",
  identity: { sub: "alice", username: "alice", groups: [], claims: {} },
  verifiedAt: 0,
  renewAt: 0,
});

const tooMany = expect.objectContaining({ status: 429, reason: "rate_limited", retryAfter: 7 });

test("whoever is not identified counts on the address", () => {
  const { limits, taken } = notedLimits("token");
  expect(() => tokenLimits({ limits }, "a")).toThrow(tooMany);
  expect(taken).toEqual(["token a"]);
});

test.each([
  ["registered", "client_secret", ["token a", "client c", "token a back"]],
  ["document", "client_secret", ["token a", "client c"]],
  ["dynamic", "client_secret", ["token a", "client c"]],
  ["registered", "none", ["token a"]],
  ["document", "none", ["token a"]],
] as const)("a client of origin %s, %s", async (origin, method, expected) => {
  const { limits, taken } = notedLimits();
  await tokenLimits({ limits }, "a").client(client(origin, method));
  expect(taken).toEqual(expected);
});

test("a user counts by client and subject", async () => {
  const { limits, taken } = notedLimits();
  await tokenLimits({ limits }, "a").user(alice);
  expect(taken).toEqual(["token a", 'principal ["c","alice"]', "token a back"]);
});

test("a grant without its sign-in is nobody's", async () => {
  const { limits, taken } = notedLimits();
  await tokenLimits({ limits }, "a").user(grant(undefined));
  expect(taken).toEqual(["token a"]);
});

test("a machine counts as client and as principal", async () => {
  const { limits, taken } = notedLimits();
  await tokenLimits({ limits }, "a").machine("m");
  expect(taken).toEqual(["token a", "client m", 'principal ["m","m"]', "token a back"]);
});

test("a configured client and its user give the address its place back once", async () => {
  const { limits, taken } = notedLimits();
  const request = tokenLimits({ limits }, "a");
  await request.client(client("registered", "client_secret"));
  await request.user(alice);
  expect(taken).toEqual(["token a", "client c", "token a back", 'principal ["c","alice"]']);
});

test.each(["client", "principal"] as const)("who is refused by %s keeps counting on the address", async (refusing) => {
  const { limits, taken } = notedLimits(refusing);
  await expect(tokenLimits({ limits }, "a").machine("m")).rejects.toEqual(tooMany);
  if (refusing === "client") {
    await expect(tokenLimits({ limits }, "b").client(client("registered", "client_secret"))).rejects.toEqual(tooMany);
  } else {
    await expect(tokenLimits({ limits }, "b").user(alice)).rejects.toEqual(tooMany);
  }
  expect(taken.filter((entry) => entry.endsWith("back"))).toEqual([]);
});
