import { expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { parseCoreConfig } from "../config/index.ts";
import { systemRandom } from "../runtime/index.ts";
import { cognitoSession } from "./upstream-session.ts";

const { tokens } = parseCoreConfig({
  baseUrl: "https://mcp.example.com",
  cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
});

test.each([true, false])("Cognito's access token is kept only under exposeCognitoToken (%s)", (exposeCognitoToken) => {
  const deps = { clock: steppingClock(), random: systemRandom, tokens, exposeCognitoToken };
  const accessToken = { token: "of-cognito", expiresAt: 1 };
  const session = cognitoSession(deps, {
    identity: { sub: "sub", username: "alice", groups: [], claims: {} },
    refreshToken: "refresh",
    accessToken,
    authTime: 0,
  });
  expect(session.accessToken).toEqual(exposeCognitoToken ? accessToken : undefined);
  expect(JSON.stringify(session).includes("of-cognito")).toBe(exposeCognitoToken);
});
