import type { McpServer, ServerEvent, ServerEventBus } from "@modelcontextprotocol/server";

/** For whom a server instance is made. */
export interface ServingContext {
  /** `modern`: one 2026-07-28 request. `legacy`: one 2025 session. */
  readonly era: "modern" | "legacy";
  /**
   * Calls `listener` at every later change while this instance lives. An instance made for one modern request is gone
   * before the next change, so there it is never called.
   */
  onChange(listener: (event: ServerEvent) => void): void;
}

/** One MCP server, apart from how it is served. */
export interface McpDefinition<Name extends string = string> {
  readonly name: Name;
  /** Where this server tells of changed lists and resources; open streams of both eras get them from here. */
  readonly changes: ServerEventBus;
  /** Makes an instance. What instances share lives outside of it. */
  create(context: ServingContext): McpServer;
}
