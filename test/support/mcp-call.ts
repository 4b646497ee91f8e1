/** A request as MCP 2026-07-28 has it: no session before it, its headers say what its body says. */
export function statelessRequest(
  url: string,
  accessToken: string | undefined,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
): Request {
  const version = "2026-07-28";
  const name = params.name ?? params.uri;
  return new Request(url, {
    method: "POST",
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 5,
      method,
      params: {
        ...params,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": version,
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    }),
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": version,
      "mcp-method": method,
      ...(typeof name === "string" ? { "mcp-name": name } : {}),
      ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
    },
  });
}
