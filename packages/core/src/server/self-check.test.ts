import { expect, test } from "vitest";
import { parseCoreConfig } from "../config/index.ts";
import type { Fetch } from "../runtime/index.ts";
import { selfCheck } from "./self-check.ts";
import { viewSettings } from "./settings-view.ts";

const issuer = "https://mcp.example.com";
const resource = `${issuer}/mcp`;
const metadata = `${issuer}/.well-known/oauth-protected-resource/mcp`;
const view = viewSettings(
  parseCoreConfig({
    baseUrl: issuer,
    cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "my-app" },
    resources: [{ path: "/mcp" }],
    secret: ["n0t-a-secret-of-anybody-ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
  }),
);

const right: Readonly<Record<string, () => Response>> = {
  [`${issuer}/.well-known/oauth-authorization-server`]: () => Response.json({ issuer }),
  [`${issuer}/.well-known/openid-configuration`]: () => Response.json({ issuer }),
  [`${issuer}/.well-known/jwks.json`]: () => Response.json({ keys: [] }),
  [metadata]: () => Response.json({ resource, authorization_servers: [issuer] }),
  [resource]: () => challenge(`Bearer resource_metadata="${metadata}"`),
};
const challenge = (text: string) => new Response("", { status: 401, headers: { "www-authenticate": text } });

const check = (wrong: Readonly<Record<string, () => Response>>) => {
  const fetch: Fetch = async (url) => ({ ...right, ...wrong })[String(url)]?.() ?? new Response("", { status: 404 });
  return selfCheck(view, fetch);
};

test("where everything is as it should be, there is nothing to say", async () => {
  expect(await check({})).toEqual([]);
});

test.each([
  [
    "another issuer",
    `${issuer}/.well-known/oauth-authorization-server`,
    () => Response.json({ issuer: "x" }),
    "does not describe the issuer",
  ],
  ["a page", `${issuer}/.well-known/openid-configuration`, () => new Response("<p>"), "does not describe the issuer"],
  ["no keys", `${issuer}/.well-known/jwks.json`, () => Response.json({}), "is no key set"],
  ["a redirect", metadata, () => new Response("", { status: 301 }), "redirects (301)"],
  ["nothing", metadata, () => new Response("", { status: 404 }), "answers 404"],
  [
    "another resource",
    metadata,
    () => Response.json({ resource: issuer, authorization_servers: [issuer] }),
    `does not describe ${resource}`,
  ],
  [
    "another server",
    metadata,
    () => Response.json({ resource, authorization_servers: [] }),
    `does not describe ${resource}`,
  ],
  ["an open door", resource, () => new Response("hello"), "answers 200 instead of 401"],
  ["no challenge", resource, () => new Response("", { status: 401 }), "has no WWW-Authenticate header"],
  ["another check", resource, () => challenge("Basic"), `does not name ${metadata}`],
  [
    "an error",
    resource,
    () => {
      throw new TypeError("fetch failed", { cause: new Error("ENOTFOUND") });
    },
    "cannot be reached from here (ENOTFOUND)",
  ],
])("%s is named with its URL", async (_what, url, answer, fault) => {
  expect(await check({ [url]: answer })).toEqual([expect.stringMatching(/^(GET|POST) /)]);
  expect((await check({ [url]: answer }))[0]).toContain(`${url}: `);
  expect((await check({ [url]: answer }))[0]).toContain(fault);
});
