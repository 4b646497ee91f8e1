import {
  InMemoryServerEventBus,
  McpServer,
  ResourceNotFoundError,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import type { WholeClock } from "./demo-clock.ts";
import type { McpDefinition } from "./mcp-definition.ts";
import { failure, text } from "./results.ts";

const MAX_NOTES = 200;
const MAX_TEXT = 4_000;

const note = z.object({
  id: z.string(),
  text: z.string(),
  created: z.string().describe("When it was added, ISO 8601 in UTC"),
});
type Note = z.infer<typeof note>;

/** The demo server `notes`: short notes in memory, the same for all callers of this process. */
export function notesServer(clock: WholeClock): McpDefinition<"notes"> {
  const changes = new InMemoryServerEventBus();
  const notes = new Map<string, Note>();
  let lastId = 0;
  return {
    name: "notes",
    changes,
    create() {
      const server = new McpServer(
        { name: "sallyport-demo-notes", title: "Notes", version: "0.1.0" },
        { instructions: "Keeps short notes for everyone who may use it, until it is stopped." },
      );
      server.registerTool(
        "list_notes",
        {
          title: "List notes",
          description: "Lists every note with its id.",
          outputSchema: z.object({ notes: z.array(note) }),
          annotations: { readOnlyHint: true, openWorldHint: false },
        },
        () => {
          const all = [...notes.values()];
          return { ...text(asList(all) || "There are no notes."), structuredContent: { notes: all } };
        },
      );
      server.registerTool(
        "add_note",
        {
          title: "Add a note",
          description: "Adds a note and tells its id.",
          inputSchema: z.object({ text: z.string().min(1).max(MAX_TEXT).describe("What to note down") }),
          outputSchema: note,
          annotations: { destructiveHint: false, openWorldHint: false },
        },
        ({ text: value }) => {
          if (notes.size >= MAX_NOTES) {
            return failure(
              `There are already ${MAX_NOTES} notes. Delete one with delete_note, then add this one again.`,
            );
          }
          lastId += 1;
          const added: Note = { id: String(lastId), text: value, created: new Date(clock.now()).toISOString() };
          notes.set(added.id, added);
          changes.publish({ kind: "resources_list_changed" });
          return { ...text(`Added note ${added.id}`), structuredContent: added };
        },
      );
      server.registerTool(
        "delete_note",
        {
          title: "Delete a note",
          description: "Deletes a note for everyone. It cannot be brought back.",
          inputSchema: z.object({ id: z.string().max(32).describe("The id as list_notes tells it") }),
          annotations: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
        },
        ({ id }) => {
          if (!notes.delete(id)) {
            return failure(`id: there is no note ${JSON.stringify(id)}. Call list_notes for the ids there are.`);
          }
          changes.publish({ kind: "resources_list_changed" });
          return text(`Deleted note ${id}`);
        },
      );
      server.registerResource(
        "note",
        new ResourceTemplate("note://{id}", {
          list: () => ({
            resources: [...notes.values()].map(({ id }) => ({ uri: `note://${id}`, name: `Note ${id}` })),
          }),
          complete: { id: (start) => [...notes.keys()].filter((id) => id.startsWith(start)) },
        }),
        { title: "Note", description: "One note", mimeType: "text/plain" },
        (uri, { id }) => {
          const found = typeof id === "string" ? notes.get(id) : undefined;
          if (found === undefined) throw new ResourceNotFoundError(uri.href);
          return { contents: [{ uri: uri.href, mimeType: "text/plain", text: found.text }] };
        },
      );
      server.registerPrompt(
        "summarize_notes",
        { title: "Summarize the notes", description: "Asks for a short summary of all notes." },
        () => {
          const list = asList([...notes.values()]) || "(there are none)";
          const request = `Summarize these notes in at most three sentences:\n\n${list}`;
          return { messages: [{ role: "user", content: { type: "text", text: request } }] };
        },
      );
      return server;
    },
  };
}

function asList(notes: readonly Note[]): string {
  return notes.map(({ id, text: value }) => `${id}: ${value}`).join("\n");
}
