import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type OAuthClientProvider, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** An empty folder that no other test uses. */
export const tokenFolder = (): string => join(mkdtempSync(join(tmpdir(), "sallyport-client-")), "tokens");

/** A tool called as a program would: with SDK v2's client over the provider. */
export async function callTool(
  url: string,
  authProvider: OAuthClientProvider,
  name: string,
  args: Record<string, unknown> = {},
): Promise<string> {
  const client = new Client({ name: "test", version: "1" });
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
  await client.connect(transport);
  try {
    const { content } = await client.callTool({ name, arguments: args });
    return content.map((part) => (part.type === "text" ? part.text : "")).join("");
  } finally {
    await client.close();
  }
}
