import { expect, test } from "vitest";
import { steppingClock } from "../../../test/support/stepping-clock.ts";
import { observedCognitoFetch } from "./observed-fetch.ts";

const clock = steppingClock();

async function told(url: string, answer: () => Promise<Response>): Promise<unknown[]> {
  const calls: unknown[] = [];
  const observer = { store: () => {}, remote: (...call: unknown[]) => void calls.push(call) };
  const fetch = observedCognitoFetch(answer, { observer, clock });
  await fetch(url).catch(() => {});
  return calls;
}

const status = (code: number) => async () => new Response(null, { status: code });
const pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a";
const domain = "https://example.auth.eu-central-1.amazoncognito.com";

test.each([
  [`${pool}/.well-known/openid-configuration`, "cognito_discovery"],
  [`${pool}/.well-known/jwks.json`, "cognito_keys"],
  [`${domain}/oauth2/token`, "cognito_token"],
  [`${domain}/oauth2/revoke`, "cognito_revoke"],
  [`${domain}/oauth2/userInfo?a=1`, "cognito_user_info"],
  [`${domain}/other`, "cognito_other"],
])("%s is %s", async (url, endpoint) => {
  expect(await told(url, status(200))).toEqual([[endpoint, expect.any(Number), "ok"]]);
});

test.each([
  [302, "ok"],
  [400, "refused"],
  [429, "throttled"],
  [503, "error"],
])("status %i is %s", async (code, outcome) => {
  expect(await told(`${domain}/oauth2/token`, status(code))).toEqual([["cognito_token", expect.any(Number), outcome]]);
});

test("no answer is unreachable", async () => {
  const calls = await told(`${domain}/oauth2/token`, () => Promise.reject(new TypeError("fetch failed")));
  expect(calls).toEqual([["cognito_token", expect.any(Number), "unreachable"]]);
});
