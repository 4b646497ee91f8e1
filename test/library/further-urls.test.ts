import { BearerRefusal, sallyport, silentLogger } from "sallyport";
import { afterAll, beforeAll, expect, test } from "vitest";

let auth: Awaited<ReturnType<typeof sallyport>>;
beforeAll(async () => {
  auth = await sallyport(
    {
      baseUrl: "https://example.com",
      cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
      resources: [{ path: "/mcp", urls: ["https://tools.example.org/mcp"] }],
      scopes: { hello: {} },
      secret: ["n0t-a-secret-of-anybody-ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
      store: "memory:",
    },
    { logger: silentLogger },
  );
});
afterAll(() => auth.close());

const get = async (url: string) => {
  const answer = await auth.fetch(new Request(url));
  return { status: answer.status, body: answer.status === 200 ? await answer.json() : undefined };
};

test("each URL of a resource has its own metadata, on its own host", async () => {
  for (const path of ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]) {
    for (const origin of ["https://example.com", "https://tools.example.org", "http://tools.example.org:443"]) {
      const resource = `${origin.includes("tools") ? "https://tools.example.org" : origin}/mcp`;
      expect(await get(origin + path)).toMatchObject({
        status: 200,
        body: { resource, authorization_servers: ["https://example.com"] },
      });
    }
  }
});

test("the authorization server is at the base URL, and not there", async () => {
  for (const path of ["/.well-known/oauth-authorization-server", "/.well-known/jwks.json"]) {
    expect((await get(`https://example.com${path}`)).status).toBe(200);
    expect((await get(`https://tools.example.org${path}`)).status).toBe(404);
  }
  expect((await get("https://tools.example.org/authorize")).status).toBe(404);
});

test("which URL is asked for decides where a client is sent", async () => {
  const challenge = async (url: string) => {
    const refusal = await auth.verify(new Request(url)).catch((error: unknown) => error);
    return refusal instanceof BearerRefusal ? refusal.challenge : refusal;
  };
  expect(await challenge("https://tools.example.org/mcp")).toContain(
    'resource_metadata="https://tools.example.org/.well-known/oauth-protected-resource/mcp"',
  );
  // Behind a proxy the host may be anything.
  expect(await challenge("http://127.0.0.1:3000/mcp")).toContain(
    'resource_metadata="https://example.com/.well-known/oauth-protected-resource/mcp"',
  );
  expect(await challenge("https://tools.example.org/other")).toBeInstanceOf(RangeError);
});
