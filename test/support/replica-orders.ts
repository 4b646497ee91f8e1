import { z } from "zod";

const start = z.strictObject({
  /** Settings as `loadConfig` takes them from code. */
  settings: z.record(z.string(), z.unknown()),
  /** How far its clocks are ahead of the machine's, ms. */
  clockOffset: z.number(),
});

const order = z.strictObject({
  /** Moves both of its clocks, ms. */
  advance: z.number(),
});

/** What a replica's process is told at its start, and after it. */
export type ReplicaStart = z.output<typeof start>;
export type ReplicaOrder = z.output<typeof order>;

export const parseReplicaStart = (line: string): ReplicaStart => start.parse(JSON.parse(line));
export const parseReplicaOrder = (line: string): ReplicaOrder => order.parse(JSON.parse(line));
