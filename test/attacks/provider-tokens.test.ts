import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { expect, test } from "vitest";
import { demoPool } from "../../packages/cli/src/dev/demo-pool.ts";
import { tokenAnswer } from "../support/oauth-client.ts";
import { encode, expectRefused } from "./access-tokens.ts";
import { type ArenaOptions, found, onEachStore } from "./arena.ts";

const secretOf = (name: string): string => `${name}-secret-of-these-tests`;

/** Two further machines in the pool: one that is not configured here, and one whose scope is mapped to nothing. */
const options: ArenaOptions = {
  pool: (pool) => ({
    ...pool,
    resourceServers: [
      ...(pool.resourceServers ?? []),
      { identifier: "billing", name: "Billing", scopes: [{ name: "pay" }] },
    ],
    clients: [
      ...(pool.clients ?? []),
      {
        id: "stranger",
        secret: secretOf("stranger"),
        allowedOAuthFlows: ["client_credentials"],
        scopes: ["mcp/read"],
      },
      {
        id: "unmapped",
        secret: secretOf("unmapped"),
        allowedOAuthFlows: ["client_credentials"],
        scopes: ["billing/pay"],
      },
    ],
  }),
  change: (settings) => ({
    ...settings,
    machines: { ...settings.machines, unmapped: { scopes: ["mcp/read"] } },
  }),
};

/** A machine's token straight from Cognito. */
async function fromCognito(cognitoUrl: string, id: string, secret: string): Promise<string> {
  const response = await fetch(`${cognitoUrl}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "client_credentials" }),
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
  });
  expect(response.status).toBe(200);
  return (await tokenAnswer(response)).access_token;
}

onEachStore(
  "attacks §1 audience, tokens of Cognito's",
  (arena) => {
    const refused = (token: string, reason: string) => expectRefused(arena(), token, reason);

    const userTokens = async (user: "alice" | "bob" = "alice"): Promise<Record<string, string>> => {
      const { cognito, signIn } = arena();
      const seen = cognito.tokenRequests.length;
      await signIn({ user });
      const answer = found(cognito.tokenRequests[seen]?.answer, "nothing came from Cognito");
      return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, String(value)]));
    };

    test("a configured machine's access token: accepted where its scope is mapped (control)", async () => {
      const { env, mcp } = arena();
      const { clientId, clientSecret } = env.machine;
      const token = await fromCognito(env.cognito.url, clientId, clientSecret);
      expect((await mcp(token)).status).toBe(200);
      env.clock.advance(3_600_000 + 61_000);
      await refused(token, "token_signature_invalid");
    });

    test("a user's ID token as access token (attacks §3)", async () => {
      const { id_token } = await userTokens();
      await refused(found(id_token, "no ID token"), "token_signature_invalid");
    });

    test("a user's access token straight from Cognito", async () => {
      const { access_token } = await userTokens();
      await refused(found(access_token, "no access token"), "token_type_invalid");
    });

    test("Cognito's refresh token", async () => {
      const { refresh_token } = await userTokens();
      const answer = await arena().outcome(() => arena().mcp(found(refresh_token, "no refresh token")));
      expect(answer).toMatchObject({ status: 401, error: "invalid_token" });
    });

    test("a machine's of another app client of the pool (attacks §4 FastMCP #3406)", async () => {
      const { env } = arena();
      await refused(await fromCognito(env.cognito.url, "stranger", secretOf("stranger")), "machine_unknown");
    });

    test("a configured machine's without a mapped scope", async () => {
      const { env } = arena();
      await refused(await fromCognito(env.cognito.url, "unmapped", secretOf("unmapped")), "token_scope_unmapped");
    });

    test("of another pool, whatever pool and region the request names (attacks §2 R5): no question to it", async () => {
      const { env, mcp, outcome } = arena();
      const clients = {
        clientId: "sallyportdemo",
        clientSecret: secretOf("foreign"),
        machineId: env.machine.clientId,
        machineSecret: secretOf("foreign"),
      };
      const foreign = await startCognitoEmulator({ pool: demoPool(env.url, clients), port: 0, clock: env.clock });
      try {
        const token = await fromCognito(foreign.url, env.machine.clientId, secretOf("foreign"));
        const asked = foreign.requests.length;
        await refused(token, "token_signature_invalid");
        const headers = {
          "x-user-pool-id": foreign.userPoolId,
          "x-region": "us-east-1",
          "x-amz-cognito-issuer": foreign.issuer,
        };
        const named = await outcome(() => mcp(token, "/clock/mcp", headers));
        expect(named).toMatchObject({ status: 401, reasons: ["token_signature_invalid"] });
        expect(foreign.requests).toHaveLength(asked);
      } finally {
        await foreign.close();
      }
    });

    test("200 with an unknown kid: at most one further key set is fetched (attacks §3)", async () => {
      const { env, mcp } = arena();
      const { clientId, clientSecret } = env.machine;
      const token = await fromCognito(env.cognito.url, clientId, clientSecret);
      expect((await mcp(token)).status).toBe(200);
      const fetches = () => env.cognito.requests.filter(({ path }) => path.endsWith("/jwks.json")).length;
      const before = fetches();
      env.clock.advance(31_000);
      const [, body, signature] = token.split(".");
      for (let n = 0; n < 200; n += 1) {
        const head = encode({ alg: "RS256", kid: `spray-${n}` });
        expect((await mcp(`${head}.${body}.${signature}`)).status).toBe(401);
      }
      expect(fetches() - before).toBe(1);
    });
  },
  options,
);
