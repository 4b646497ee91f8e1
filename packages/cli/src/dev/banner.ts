import { styleText } from "node:util";
import type { DevDescription } from "./dev-json.ts";

type Style = Parameters<typeof styleText>[0];

/** Marks a text where the terminal shows marks: not with NO_COLOR set, not into a file or pipe. */
export type Paint = (style: Style, text: string) => string;

export const paintFor =
  (stream: NodeJS.WritableStream): Paint =>
  (style, text) =>
    styleText(style, text, { stream });

/** What a person needs to try the running environment. */
export function banner(description: DevDescription, stateFolder: string, paint: Paint): string {
  const { gateway, cognito, users, machine, servers } = description;
  const label = (text: string): string => paint("dim", text.padEnd(14));
  const [server] = servers;
  const passwords = [...new Set(users.map((user) => user.password))].join(", ");
  const lines = [
    "",
    `${paint("bold", "Sallyport")} is running, with a local Cognito.`,
    "",
    `${label("Gateway")}${paint("cyan", gateway)}`,
    ...servers.map(({ name, url }) => `${label(`  ${name}`)}${paint("cyan", url)}`),
    `${label("Cognito")}${paint("cyan", cognito.url)}  ${paint("dim", cognito.user_pool_id)}`,
    "",
    `${label("Users")}password ${paint("bold", passwords)}`,
    ...users.map(({ username, groups }) => `${label("")}${username}  ${paint("dim", groups.join(", ") || "no group")}`),
    `${label("Machine")}${machine.client_id}  ${paint("dim", `secret in ${stateFolder}/dev.json`)}`,
  ];
  if (server !== undefined) lines.push("", ...clientLines(server, label));
  return [...lines, "", paint("dim", "Ctrl-C ends it."), ""].join("\n");
}

/** How to add a server to the clients that people use. */
function clientLines(
  server: { readonly name: string; readonly url: string },
  label: (text: string) => string,
): readonly string[] {
  const { name, url } = server;
  return [
    `${label("Claude Code")}claude mcp add --transport http ${name} ${url}`,
    `${label("Cursor")}in ~/.cursor/mcp.json: ${JSON.stringify({ mcpServers: { [name]: { url } } })}`,
    `${label("VS Code")}code --add-mcp '${JSON.stringify({ name, type: "http", url })}'`,
    `${label("Inspector")}npx @modelcontextprotocol/inspector --transport http --server-url ${url}`,
  ];
}
