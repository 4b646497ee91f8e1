import type { TestEnvironment } from "./environment.ts";
import type { ReplicaOrder, ReplicaStart } from "./replica-orders.ts";
import { type Exit, type SourceProcess, spawnSource } from "./source-condition.ts";

type Settings = TestEnvironment["settings"];

/** A gateway in a process of its own, on the same store and Cognito as others. */
export interface Replica {
  /** Where it listens; its public URL is the one in the settings. */
  readonly url: string;
  readonly process: SourceProcess;
  /** Moves its clocks. */
  advance(ms: number): Promise<void>;
  /** Ends it without a chance to finish anything. */
  kill(): Promise<Exit>;
  /** Ends it in an orderly way. */
  close(): Promise<Exit>;
}

/**
 * Starts a gateway in a process of its own and waits until it listens. It ends with the test at the latest.
 * @param settings with a store that processes can share
 * @param options.port default any free one
 * @param options.clockOffset how far its clocks are ahead of the machine's, ms
 */
export async function startReplica(
  settings: Settings,
  options: { readonly port?: number; readonly clockOffset?: number } = {},
): Promise<Replica> {
  const process = spawnSource(new URL("replica-process.ts", import.meta.url));
  const tell = (line: ReplicaStart | ReplicaOrder): void => {
    process.child.stdin.write(`${JSON.stringify(line)}\n`);
  };
  const listen = `127.0.0.1:${options.port ?? 0}`;
  tell({ settings: { ...settings, listen }, clockOffset: options.clockOffset ?? 0 });
  const ready = await process.waitForLine((line, name) => name === "stdout" && line.startsWith("ready "));
  return {
    url: `http://localhost:${ready.slice("ready ".length)}`,
    process,
    async advance(ms) {
      tell({ advance: ms });
      await process.waitForLine((line, name) => name === "stdout" && line === "advanced");
    },
    kill: () => process.stop("SIGKILL"),
    async close() {
      process.child.stdin.end();
      return await process.exited;
    },
  };
}
