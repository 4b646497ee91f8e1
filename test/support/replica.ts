import { fileURLToPath } from "node:url";
import type { RotationMode } from "sallyport";
import type { CrashPoint } from "./crash-store.ts";
import type { TestEnvironment } from "./environment.ts";
import { isAnswerLine, parseAnswerLine, type ReplicaOrder, type ReplicaStart } from "./replica-orders.ts";
import { type Exit, type SourceProcess, spawnSource } from "./source-condition.ts";

type Settings = TestEnvironment["settings"];

/** A gateway in a process of its own, on the same store and Cognito as others. */
export interface Replica {
  /** Where it listens; its public URL is the one in the settings. */
  readonly url: string;
  readonly process: SourceProcess;
  /** Moves its clocks. */
  advance(ms: number): Promise<void>;
  /** Notes what it asks of its store from now on, and dies at the point if there is one. */
  watch(point?: CrashPoint): Promise<void>;
  /** What it has asked of its store since {@link watch}. */
  noted(): Promise<readonly string[]>;
  /** Changes the signing key as `sallyport keys rotate` does. */
  rotate(mode: RotationMode): Promise<void>;
  /** Throws the kill switch of a user (`sub`) as `sallyport grants end` does. */
  endGrantsOf(user: string): Promise<void>;
  /** Ends it without a chance to finish anything. */
  kill(): Promise<Exit>;
  /** Ends it in an orderly way. */
  close(): Promise<Exit>;
}

/** Compiled once, not by each of the many processes. */
const compileCache = fileURLToPath(new URL("../../node_modules/.cache/replicas", import.meta.url));

/**
 * Starts a gateway in a process of its own and waits until it listens. It ends with the test at the latest, or with the
 * test file.
 * @param settings with a store that processes can share
 * @param options.port default any free one
 * @param options.clockOffset how far its clocks are ahead of the machine's, ms
 * @param options.storeClock whether it learns from its store how far they are; default false, so that they may be moved
 * @param options.crash where it is killed while it starts: this then rejects
 * @param options.outlivesTest default false
 */
export async function startReplica(
  settings: Settings,
  options: {
    readonly port?: number;
    readonly clockOffset?: number;
    readonly storeClock?: boolean;
    readonly crash?: CrashPoint;
    readonly outlivesTest?: boolean;
  } = {},
): Promise<Replica> {
  const process = spawnSource(new URL("replica-process.ts", import.meta.url), [], {
    env: { NODE_COMPILE_CACHE: compileCache },
    outlivesTest: options.outlivesTest ?? false,
  });
  const tell = (line: ReplicaStart | ReplicaOrder): void => {
    process.child.stdin.write(`${JSON.stringify(line)}\n`);
  };
  /** Gives an order and waits until it is carried out. */
  const order = async (line: ReplicaOrder): Promise<readonly string[]> => {
    tell(line);
    return parseAnswerLine(await process.waitForLine((text, name) => name === "stdout" && isAnswerLine(text)));
  };
  const { port = 0, clockOffset = 0, storeClock = false, crash } = options;
  const listen = `127.0.0.1:${port}`;
  tell({ settings: { ...settings, listen }, clockOffset, storeClock, ...(crash ? { crash } : {}) });
  const ready = await process.waitForLine((line, name) => name === "stdout" && line.startsWith("ready "));
  return {
    url: `http://localhost:${ready.slice("ready ".length)}`,
    process,
    advance: async (ms) => void (await order({ advance: ms })),
    watch: async (point) => void (await order({ watch: point ?? null })),
    noted: () => order({ tell: "noted" }),
    rotate: async (mode) => void (await order({ rotate: mode })),
    endGrantsOf: async (user) => void (await order({ endGrantsOf: user })),
    kill: () => process.stop("SIGKILL"),
    async close() {
      process.child.stdin.end();
      return await process.exited;
    },
  };
}
