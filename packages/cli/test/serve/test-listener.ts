import type { RequestListener } from "node:http";
import { type GatewayConfigInput, gatewaySection } from "@sallyport/gateway";
import { createLogger } from "sallyport";
import { type TestClock, testClock } from "../../../../test/support/test-clock.ts";
import type { KeyPair } from "../../src/serve/certificate.ts";
import { createListener, type Listener } from "../../src/serve/listener.ts";

/** A listener on a port of its own, for tests. */
export interface TestListener extends Pick<Listener, "state" | "changeCertificate" | "openRequests" | "server"> {
  readonly port: number;
  readonly clock: TestClock;
  readonly log: readonly string[];
  /** Requests that were read to their end and answered by the handler. */
  readonly answered: readonly string[];
  close(): void;
}

/** @param options.handle default: reads the request to its end and answers `ok` */
export async function startListener(
  options: {
    readonly connections?: GatewayConfigInput["connections"];
    readonly tls?: KeyPair;
    readonly behindProxy?: boolean;
    readonly handle?: RequestListener;
  } = {},
): Promise<TestListener> {
  const clock = testClock();
  const log: string[] = [];
  const answered: string[] = [];
  const listener = createListener({
    connections: gatewaySection.shape.connections.parse(options.connections),
    tls: options.tls,
    behindProxy: options.behindProxy ?? false,
    clock,
    logger: createLogger({ level: "debug", write: (line) => log.push(line) }),
    handle:
      options.handle ??
      ((req, res) => {
        req.resume().on("end", () => {
          answered.push(`${req.method} ${req.url}`);
          res.end("ok\n");
        });
      }),
  });
  const port = await listener.listen("127.0.0.1", 0);
  return {
    ...listener,
    port,
    clock,
    log,
    answered,
    close() {
      listener.server.close();
      listener.closeAllConnections();
    },
  };
}
