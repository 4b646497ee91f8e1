import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { manualBrowser, signInProvider } from "sallyport/client";
import { port } from "../settings.ts";

// A server to call.
await import("../mcp-sdk-v2/app.ts");

const url = new URL(`http://localhost:${port}/mcp`);
const authProvider = signInProvider({
  serverUrl: url,
  clientName: "Notes at the terminal",
  // Yours would use systemBrowser(…), and leave the folder out.
  browser: manualBrowser((page) => console.log(`open ${page}`)),
  folder: join(mkdtempSync(join(tmpdir(), "sallyport-example-")), "tokens"),
});

const client = new Client({ name: "notes-at-the-terminal", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(url, { authProvider }));
await client.callTool({ name: "add_note", arguments: { text: "milk" } });
const { content } = await client.callTool({ name: "list_notes", arguments: {} });
for (const part of content) if (part.type === "text") console.log(part.text);
await client.close();
await authProvider.signOut();
console.log("signed out");
