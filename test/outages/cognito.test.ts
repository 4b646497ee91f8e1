import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createWalker, type Page } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, postToken, refresh, register } from "../support/oauth-client.ts";
import { endedSince, expectOutage, expectRecovery, newSession, readyz, request } from "./outage.ts";

const minute = 60_000;
/** This process leaves Cognito alone for so long after it failed. */
const backoff = 5_001;

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment({
    // Longer than the outages here, so that only the word of Cognito is old.
    change: (settings) => ({
      ...settings,
      cognito: { ...settings.cognito, timeout: "1s" },
      tokens: { ...settings.tokens, accessTtl: "1h", upstreamGrace: "0s" },
    }),
  });
});
afterEach(() => env.cognito.faults.clear());
afterAll(() => env.close());

const jwks = (): string => new URL(env.cognito.jwksUri).pathname;
const asked = (path: string): number => env.cognito.requests.filter((entry) => entry.path === path).length;

/** Signs in up to the callback, and answers where that led. */
async function callback(): Promise<URL> {
  const client = await register(env.url);
  const walker = createWalker();
  const consent = await walker.get(authorizeUrl(env.url, client, pkce()));
  const login: Page = await walker.submit(consent, { decision: "approve" });
  const { username, password } = demoUser(env, "alice");
  const atClient = (location: string): boolean => location.startsWith(client.redirectUri);
  const { location = "" } = await walker.submit(login, { username, password }, atClient);
  return new URL(location);
}

const machineToken = () => {
  const { clientId: client_id, clientSecret: client_secret } = env.machine;
  return postToken(env.url, {
    grant_type: "client_credentials",
    client_id,
    client_secret,
    resource: `${env.url}/clock/mcp`,
  });
};

test("Cognito hangs: whoever needs it hears so within its time, a crowd waits for one question, and then nobody waits", async () => {
  const session = await newSession(env);
  const seen = env.audit.length;
  env.clock.advance(16 * minute);
  env.cognito.faults.set({ path: "/oauth2/token", latencyMs: 60_000 });
  const before = asked("/oauth2/token");
  const crowd = Array.from({ length: 50 }, (_, n) =>
    n % 2 === 0
      ? expectOutage("request", request(env, session.accessToken), 3_000)
      : expectOutage("refresh", refresh(env.url, session.client, session.refreshToken), 3_000),
  );
  await Promise.all([...crowd, expectOutage("machine", machineToken(), 3_000)]);
  expect((await callback()).searchParams.get("error")).toBe("temporarily_unavailable");
  const started = performance.now();
  await expectOutage("request", request(env, session.accessToken), 1_000);
  expect(performance.now() - started).toBeLessThan(500);
  // Cognito logs what it has answered: one question each of the session, the machine and the sign-in.
  await expect.poll(() => asked("/oauth2/token") - before).toBe(3);
  // A process that cannot reach Cognito is as good as the others: none of them can.
  expect(await readyz(env)).toBe("200 ready");

  env.cognito.faults.clear();
  env.clock.advance(backoff);
  await expectRecovery(env, session);
  expect(endedSince(env, seen)).toEqual([]);
});

test("the key set cannot be fetched: the keys as they are known serve for an hour", async () => {
  const session = await newSession(env);
  env.clock.advance(16 * minute);
  env.cognito.faults.set({ path: jwks(), dropConnection: true });
  const before = asked(jwks());
  expect((await refresh(env.url, session.client, session.refreshToken)).status).toBe(200);
  expect(asked(jwks()) - before).toBeGreaterThan(0);
  expect((await callback()).searchParams.has("code")).toBe(true);
});

test.each([
  ["is not there", { status: 500 }],
  ["hangs", { latencyMs: 60_000 }],
  ["breaks off", { dropConnection: true }],
])("the key set %s for longer: 503, never 401, and nothing ends", async (_, fault) => {
  const session = await newSession(env);
  const seen = env.audit.length;
  env.clock.advance(59 * minute);
  const machine = await fetch(env.cognito.tokenUrl, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: env.machine.clientId,
      client_secret: env.machine.clientSecret,
    }),
  });
  const cognitoToken: unknown = Object(await machine.json()).access_token;
  env.cognito.faults.set({ path: jwks(), ...fault });
  // What is known of the keys has ended by then, and the machine's token has not.
  env.clock.advance(50 * minute);
  await expectOutage("refresh", refresh(env.url, session.client, session.refreshToken), 3_000);
  env.clock.advance(backoff);
  expect((await callback()).searchParams.get("error")).toBe("temporarily_unavailable");
  env.clock.advance(backoff);
  await expectOutage("a machine's own token", request(env, String(cognitoToken)), 3_000);
  env.cognito.faults.clear();
  env.clock.advance(backoff);
  expect((await request(env, String(cognitoToken))).status).toBe(200);
  expect((await refresh(env.url, session.client, session.refreshToken)).status).toBe(200);
  expect(endedSince(env, seen)).toEqual([]);
});

test("Cognito's clock shows that ours is off: /readyz says so until that is over", async () => {
  expect(await readyz(env)).toBe("200 ready");
  // Seen from here Cognito is 40 s behind: it is this process that is ahead.
  env.cognito.faults.setClockOffset(-40_000);
  expect((await machineToken()).status).toBe(200);
  await callback();
  expect(await readyz(env)).toMatch(/^503 clock off by (39|40|41) s$/);
  env.cognito.faults.setClockOffset(0);
  await callback();
  expect(await readyz(env)).toBe("200 ready");
  expect(env.log.at(-1)).toContain("ready again");
});
