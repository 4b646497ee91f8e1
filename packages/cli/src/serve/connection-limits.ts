import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { GatewayConfig, ListenerState } from "@sallyport/gateway";
import { type Clock, type Logger, limitKey } from "sallyport";

/** How often a line says that connections are refused, in milliseconds. */
const tellEvery = 60_000;

/**
 * Closes connections beyond the bounds at once: all together, and of one address. An address is not counted on
 * loopback, nor behind a proxy, which stands for many.
 * @returns how many there are, and have been refused
 */
export function boundConnections(
  server: Server,
  options: {
    readonly connections: Pick<GatewayConfig["connections"], "max" | "maxPerAddress">;
    readonly behindProxy: boolean;
    readonly clock: Clock;
    readonly logger: Logger;
  },
): () => ListenerState {
  const { connections, clock, logger } = options;
  const refused = { max: 0, maxPerAddress: 0 };
  let open = 0;
  const state = (): ListenerState => ({ open, refused: { ...refused } });
  let told = Number.NEGATIVE_INFINITY;
  let untold = 0;
  const tell = (bound: "max" | "max_per_address"): void => {
    untold += 1;
    const now = clock.monotonic();
    if (now - told < tellEvery) return;
    logger.warn("connections are refused: there are too many", { bound: `connections.${bound}`, refused: untold });
    told = now;
    untold = 0;
  };

  server.maxConnections = connections.max;
  // In a worker: closed as well, not handed from one full worker to the next without end.
  Object.assign(server, { dropMaxConnection: true });
  server.on("drop", () => {
    refused.max += 1;
    tell("max");
  });

  server.on("connection", (socket: Socket) => {
    open += 1;
    socket.once("close", () => {
      open -= 1;
    });
  });

  if (options.behindProxy) return state;
  const byAddress = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined || isLoopback(remoteAddress)) return;
    const key = limitKey(remoteAddress);
    const count = byAddress.get(key) ?? 0;
    if (count >= connections.maxPerAddress) {
      refused.maxPerAddress += 1;
      tell("max_per_address");
      return void socket.destroy();
    }
    byAddress.set(key, count + 1);
    socket.once("close", () => {
      const left = (byAddress.get(key) ?? 1) - 1;
      if (left > 0) byAddress.set(key, left);
      else byAddress.delete(key);
    });
  });
  return state;
}

const isLoopback = (address: string): boolean => address === "::1" || /^(?:::ffff:)?127\./.test(address);
