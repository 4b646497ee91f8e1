import type { CallToolResult, Client } from "@modelcontextprotocol/client";
import { describe, expect, it, vi } from "vitest";
import { connect, eras, startDemo } from "../../test/demo-client.ts";

const MOMENT = Date.UTC(2026, 0, 2);
const clock = { now: () => MOMENT };

function add(client: Client, text: string): Promise<CallToolResult> {
  return client.callTool({ name: "add_note", arguments: { text } });
}

describe.each(eras)("notes over %s", (era) => {
  it("adds, lists and deletes notes", async () => {
    const client = await connect((await startDemo(clock)).url("notes"), era);
    expect((await add(client, "buy milk")).structuredContent).toMatchObject({ id: "1", text: "buy milk" });
    await add(client, "call Ada");
    await client.callTool({ name: "delete_note", arguments: { id: "1" } });
    const listed = await client.callTool({ name: "list_notes", arguments: {} });
    const created = "2026-01-02T00:00:00.000Z";
    expect(listed.structuredContent).toEqual({ notes: [{ id: "2", text: "call Ada", created }] });
    expect(listed.content).toEqual([{ type: "text", text: "2: call Ada" }]);
  });

  it("answers an unknown id with an isError result and status 200", async () => {
    const statuses: number[] = [];
    const url = (await startDemo(clock)).url("notes");
    const client = await connect(url, era, {
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        statuses.push(response.status);
        return response;
      },
    });
    const result = await client.callTool({ name: "delete_note", arguments: { id: "41" } });
    expect(result.isError).toBe(true);
    expect(result.content).toEqual([{ type: "text", text: expect.stringContaining('no note "41". Call list_notes') }]);
    expect(statuses.at(-1)).toBe(200);
  });

  it("gives each note as a resource, and refuses one that is not there", async () => {
    const client = await connect((await startDemo(clock)).url("notes"), era);
    await add(client, "buy milk");
    const { resources } = await client.listResources();
    expect(resources).toEqual([expect.objectContaining({ uri: "note://1", mimeType: "text/plain" })]);
    expect((await client.readResource({ uri: "note://1" })).contents).toEqual([
      { uri: "note://1", mimeType: "text/plain", text: "buy milk" },
    ]);
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates).toEqual([expect.objectContaining({ uriTemplate: "note://{id}" })]);
    await expect(client.readResource({ uri: "note://2" })).rejects.toMatchObject({
      code: -32602,
      data: { uri: "note://2" },
    });
  });

  it("completes note ids", async () => {
    const client = await connect((await startDemo(clock)).url("notes"), era);
    await add(client, "buy milk");
    const ref = { type: "ref/resource" as const, uri: "note://{id}" };
    const { completion } = await client.complete({ ref, argument: { name: "id", value: "" } });
    expect(completion.values).toEqual(["1"]);
  });

  it("puts the notes into its prompt", async () => {
    const client = await connect((await startDemo(clock)).url("notes"), era);
    await add(client, "buy milk");
    const { messages } = await client.getPrompt({ name: "summarize_notes" });
    expect(messages).toEqual([
      { role: "user", content: { type: "text", text: expect.stringContaining("1: buy milk") } },
    ]);
  });

  it("shows every caller the same notes, and tells those who listen of a change", async () => {
    const url = (await startDemo(clock)).url("notes");
    const changed = vi.fn();
    const listener = await connect(url, era, {
      listChanged: { resources: { autoRefresh: false, debounceMs: 0, onChanged: changed } },
    });
    const other = await connect(url, era);
    // A 2025 client opens its stream on its own time, and misses what happens before.
    await vi.waitFor(async () => {
      await add(other, "from the other");
      expect(changed).toHaveBeenCalled();
    });
    const { resources } = await listener.listResources();
    expect(resources.map(({ uri }) => uri)).toContain("note://1");
  });
});

it("notes keeps no more than 200 notes of 4000 characters, and says how to go on", async () => {
  const client = await connect((await startDemo(clock)).url("notes"), "2026-07-28");
  const tooLong = await add(client, "x".repeat(4_001));
  expect(tooLong.isError).toBe(true);
  const added = await Promise.all(Array.from({ length: 200 }, () => add(client, "x".repeat(4_000))));
  expect(added.filter(({ isError }) => isError)).toEqual([]);
  const refused = await add(client, "one too many");
  expect(refused.isError).toBe(true);
  expect(JSON.stringify(refused.content)).toContain("delete_note");
});
