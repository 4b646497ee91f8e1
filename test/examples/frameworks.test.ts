import { expect, test } from "vitest";
import { accessTokenAt, exampleUsers, startExample } from "../support/example.ts";
import { statelessRequest } from "../support/mcp-call.ts";

const call = (url: string, token: string | undefined, name: string, args: Readonly<Record<string, unknown>> = {}) =>
  fetch(statelessRequest(`${url}/mcp`, token, "tools/call", { name, arguments: args }));

test.each(["node", "express", "hono", "fastify", "lambda"])(
  "the example %s signs users in and leaves the rest of the app alone",
  async (name) => {
    const example = await startExample(name);
    const { url } = example;
    const challenge = await call(url, undefined, "list_notes");
    expect(challenge.status).toBe(401);
    expect(challenge.headers.get("www-authenticate")).toContain(`${url}/.well-known/oauth-protected-resource/mcp`);

    const token = await accessTokenAt(url, exampleUsers.writer);
    const answer = await call(url, token, "list_notes");
    expect(await answer.text()).toContain("Notes of alice: none");

    const stepUp = await call(url, token, "add_note", { text: "milk" });
    expect(stepUp.status).toBe(403);
    expect(stepUp.headers.get("www-authenticate")).toContain('scope="notes/read notes/write"');
    const wider = await accessTokenAt(url, exampleUsers.writer, { scope: "notes/read notes/write" });
    expect(await (await call(url, wider, "add_note", { text: "milk" })).text()).toContain("Written");
    expect(await (await call(url, wider, "list_notes")).text()).toContain("Notes of alice: milk");

    await expect(accessTokenAt(url, exampleUsers.stranger)).rejects.toThrow("access_denied");
    expect(await (await fetch(url)).text()).toContain("My own page");
    // The example asks its own selfCheck, which found nothing.
    expect(example.output("stderr").trim().split("\n")).toHaveLength(1);
  },
);
