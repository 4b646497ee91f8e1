import { randomBytes } from "node:crypto";
import { localhostAllowedHostnames } from "@modelcontextprotocol/server";
import { clockServer } from "./clock.ts";
import { type DemoClock, wholeClock } from "./demo-clock.ts";
import { everythingServer } from "./everything.ts";
import { notesServer } from "./notes.ts";
import { type ServedMcp, serveMcp } from "./serve-mcp.ts";

export type { DemoClock } from "./demo-clock.ts";

/** The demo servers' names. */
export type DemoServerName = "clock" | "notes" | "everything";

/** The demo servers, listening. */
export interface DemoServers {
  readonly servers: readonly { readonly name: DemoServerName; readonly url: string }[];
  /** Ends every call, session and stream and stops listening, within a second. May be called again. */
  close(): Promise<void>;
}

/**
 * Starts the three demo MCP servers, each on a port of its own. They check no token, so they are for a gateway on the
 * same machine to stand in front of.
 *
 * @param options.hostname the address to bind, default `127.0.0.1`
 * @param options.allowedHostnames what `Host` and `Origin` may name, without ports and with IPv6 in brackets;
 *   default the loopback names
 * @param options.clock the time; default the machine's
 * @param options.signal closes the servers when it is aborted
 * @throws the signal's reason if it is aborted already; the system's error if `hostname` cannot be bound
 */
export async function startDemoServers(
  options: {
    readonly hostname?: string;
    readonly allowedHostnames?: readonly string[];
    readonly clock?: DemoClock;
    readonly signal?: AbortSignal;
  } = {},
): Promise<DemoServers> {
  const { hostname = "127.0.0.1", allowedHostnames = localhostAllowedHostnames(), signal } = options;
  signal?.throwIfAborted();
  const clock = wholeClock(options.clock);
  const definitions = [clockServer(clock), notesServer(clock), everythingServer({ clock, stateKey: randomBytes(32) })];

  const started: ServedMcp[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    signal?.removeEventListener("abort", onAbort);
    closing ??= Promise.all(started.map((server) => server.close())).then(() => {});
    return closing;
  };
  const onAbort = (): void => void close();
  const servers: { name: DemoServerName; url: string }[] = [];
  try {
    for (const definition of definitions) {
      const served = await serveMcp(definition, { hostname, allowedHostnames });
      started.push(served);
      servers.push({ name: definition.name, url: served.url });
    }
    signal?.throwIfAborted();
  } catch (error) {
    await close();
    throw error;
  }
  signal?.addEventListener("abort", onAbort, { once: true });
  return { servers, close };
}
