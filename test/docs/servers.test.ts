import { symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/command.ts";
import { startEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { postToken, tokenAnswer } from "../support/oauth-client.ts";
import { codeUnder, replaceOnce, root } from "./markdown.ts";

test("the guide's server knows by the assertion who asks, and takes nothing else for one", async () => {
  const seen: unknown[] = [];
  let identityOf: ((request: object) => Promise<unknown>) | undefined;
  const upstream = createServer((req, res) => {
    req.resume().on("end", async () => {
      const identity = await identityOf?.(req).catch((error: Error) => error.message);
      seen.push(identity);
      res.setHeader("content-type", "application/json").end(JSON.stringify({ jsonrpc: "2.0", id: 5, result: {} }));
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void upstream.close());
  const address = upstream.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  const audience = "https://notes.internal.example";
  const env = await startEnvironment({
    change: ({ policyTests: _, ...settings }) => ({
      ...settings,
      scopes: { "mcp/read": {} },
      groups: {},
      servers: [{ name: "notes", url: `${url}/mcp`, identityAssertion: { audience } }],
    }),
  });
  onTestFinished(() => env.close());

  const folder = await temporaryFolder();
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const code = codeUnder("docs/guide/servers.md", "## What the server is shown", "js");
  await writeFile(join(folder, "identity.mjs"), replaceOnce(code, "https://mcp.example.com", env.url));
  ({ identityOf } = await import(pathToFileURL(join(folder, "identity.mjs")).href));

  const { clientId: client_id, clientSecret: client_secret } = env.machine;
  const form = { grant_type: "client_credentials", client_id, client_secret };
  const { access_token } = await tokenAnswer(await postToken(env.url, form));
  const asked = await fetch(statelessRequest(`${env.url}/notes/mcp`, access_token, "tools/list"));
  expect(asked.status).toBe(200);
  expect(seen).toEqual([expect.objectContaining({ sub: client_id, principal: "machine", scope: "mcp/read" })]);
  // Past the gateway, with a token that it issued.
  await fetch(url, { headers: { "x-sallyport-identity": access_token } });
  await fetch(url);
  expect(seen.slice(1)).toEqual([expect.stringMatching(/typ/), expect.stringMatching(/JWS/)]);
});
