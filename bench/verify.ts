/**
 * How fast a token is checked: both doors, cached and cold, beside jose's `jwtVerify` and beside `requireBearerAuth` of
 * the MCP SDK (with jose as its verifier). Neither peer has a second door or looks at a revocation.
 */

import { OAuthError, OAuthErrorCode, requireBearerAuth } from "@modelcontextprotocol/server";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { createLocalJWKSet, jwtVerify } from "jose";
import { createSallyport, parseCoreConfig } from "sallyport";
import { demoPool } from "../packages/cli/src/dev/demo-pool.ts";
import { median } from "./median.ts";

const rounds = 5;
const tokensPerRound = 300;
const cachedChecks = 200_000;
const baseUrl = "http://localhost:9";
const resource = `${baseUrl}/clock/mcp`;
const secret = "bench-secret-0123456789-abcdefghijklmnop";

const clients = { clientId: "web", clientSecret: secret, machineId: "machine", machineSecret: secret };

interface Row {
  readonly name: string;
  readonly microseconds: number;
}

/** Median microseconds per check. */
async function measure(name: string, each: (round: number) => Promise<number>): Promise<Row> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) times.push(await each(round));
  return { name, microseconds: median(times) };
}

export async function benchVerify(): Promise<void> {
  const cognito = await startCognitoEmulator({ port: 0, pool: demoPool(baseUrl, clients) });
  const auth = await createSallyport(
    parseCoreConfig({
      baseUrl,
      store: "memory:",
      secret: [secret],
      cognito: {
        userPoolId: cognito.userPoolId,
        clientId: "web",
        clientSecret: secret,
        domain: cognito.url,
        endpoint: cognito.url,
      },
      resources: [{ path: "/clock/mcp" }],
      scopes: { "mcp/read": {} },
      machines: { machine: { scopes: ["mcp/read"] } },
      limits: { token: 1_000_000, client: 1_000_000, principal: 1_000_000 },
    }),
  );
  const token = async (): Promise<string> => {
    const body = new URLSearchParams({ grant_type: "client_credentials", client_id: "machine", client_secret: secret });
    const response = await auth.fetch(new Request(`${baseUrl}/token`, { method: "POST", body }));
    const answer: unknown = await response.json();
    if (answer && typeof answer === "object" && "access_token" in answer) return String(answer.access_token);
    throw new Error(`no token: ${JSON.stringify(answer)}`);
  };
  const jwks: unknown = await (await auth.fetch(new Request(`${baseUrl}/.well-known/jwks.json`))).json();
  const keys = createLocalJWKSet(jwks as Parameters<typeof createLocalJWKSet>[0]);
  const joseVerify = (jwt: string) =>
    jwtVerify(jwt, keys, { issuer: baseUrl, audience: resource, typ: "at+jwt", algorithms: ["ES256"] });
  const sdk = requireBearerAuth({
    expectedResource: new URL(resource),
    requiredScopes: ["mcp/read"],
    verifier: {
      async verifyAccessToken(jwt) {
        const { payload } = await joseVerify(jwt).catch(() => {
          throw new OAuthError(OAuthErrorCode.InvalidToken, "invalid");
        });
        const scopes = String(payload.scope).split(" ");
        return {
          token: jwt,
          clientId: String(payload.client_id),
          scopes,
          expiresAt: payload.exp ?? 0,
          resource: new URL(resource),
        };
      },
    },
  });

  const batches: string[][] = [];
  for (let round = 0; round < rounds + 1; round += 1) {
    const batch: string[] = [];
    for (let index = 0; index < tokensPerRound; index += 1) batch.push(await token());
    batches.push(batch);
  }
  const perToken = (check: (jwt: string) => Promise<unknown>) => async (round: number) => {
    const batch = batches[round] ?? [];
    const begin = performance.now();
    for (const jwt of batch) await check(jwt);
    return ((performance.now() - begin) / batch.length) * 1000;
  };
  for (const jwt of batches[rounds] ?? []) {
    await auth.verifier.check(`Bearer ${jwt}`, resource);
    await joseVerify(jwt);
    await sdk(new Request(resource, { headers: { authorization: `Bearer ${jwt}` } }));
  }

  const cold = await measure(
    "Sallyport, cold: both doors, grant read from the store",
    perToken(async (jwt) => auth.verifier.check(`Bearer ${jwt}`, resource)),
  );
  const header = `Bearer ${batches[0]?.[0]}`;
  const cached = await measure("Sallyport, cached: both doors", async () => {
    const begin = performance.now();
    for (let index = 0; index < cachedChecks; index += 1) {
      const principal = auth.verifier.check(header, resource);
      if (principal instanceof Promise) await principal;
    }
    return ((performance.now() - begin) / cachedChecks) * 1000;
  });
  const jose = await measure("jose.jwtVerify: door one only", perToken(joseVerify));
  const peer = await measure(
    "SDK v2 requireBearerAuth over jose: door one only",
    perToken(async (jwt) => {
      const answer = await sdk(new Request(resource, { headers: { authorization: `Bearer ${jwt}` } }));
      if (answer instanceof Response) throw new Error(`the SDK refused: ${answer.status}`);
    }),
  );

  console.log(`Verification of one token, median of ${rounds} rounds`);
  for (const { name, microseconds } of [cached, cold, jose, peer]) {
    const perSecond = Math.round(1e6 / microseconds).toLocaleString("en");
    const ratio = (jose.microseconds / microseconds).toFixed(2);
    console.log(
      `  ${name.padEnd(58)} ${microseconds.toFixed(2).padStart(9)} µs ${perSecond.padStart(12)} /s   ${ratio} × jose`,
    );
  }
  console.log(`  cached check under 10 µs: ${cached.microseconds < 10 ? "yes" : "NO"}`);
  await auth.close();
  await cognito.close();
}
