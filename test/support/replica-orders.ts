import { z } from "zod";

const crashPoint = z.strictObject({ operation: z.int().min(1), when: z.enum(["before", "after"]) });

const start = z.strictObject({
  /** Settings as `loadConfig` takes them from code. */
  settings: z.record(z.string(), z.unknown()),
  /** How far its clocks are ahead of the machine's, ms. */
  clockOffset: z.number(),
  /** Whether it learns from its store, and not only from Cognito, that its clock is off. */
  storeClock: z.boolean(),
  /** Where it is killed while it starts, or soon after. */
  crash: crashPoint.exactOptional(),
});

const order = z.union([
  /** Moves both of its clocks, ms. */
  z.strictObject({ advance: z.number() }),
  /** Notes operations on the store from now on, and dies at the point if there is one. */
  z.strictObject({ watch: crashPoint.nullable() }),
  /** Tells what it has noted. */
  z.strictObject({ tell: z.literal("noted") }),
  /** Changes the signing key as `sallyport keys rotate` does. */
  z.strictObject({ rotate: z.enum(["orderly", "at_once", "at_once_keeping_old"]) }),
  /** Throws the kill switch of a user as `sallyport grants end` does. */
  z.strictObject({ endGrantsOf: z.string() }),
]);

/** What a replica's process is told at its start, and after it. It answers each order with a line of JSON. */
export type ReplicaStart = z.output<typeof start>;
export type ReplicaOrder = z.output<typeof order>;

export const parseReplicaStart = (line: string): ReplicaStart => start.parse(JSON.parse(line));
export const parseReplicaOrder = (line: string): ReplicaOrder => order.parse(JSON.parse(line));

const answer = z.strictObject({ done: z.array(z.string()) });

/** The line that says that an order was carried out, with what was asked for. */
export const answerLine = (told: readonly string[] = []): string => JSON.stringify({ done: told });
export const isAnswerLine = (line: string): boolean => line.startsWith('{"done":');
export const parseAnswerLine = (line: string): readonly string[] => answer.parse(JSON.parse(line)).done;
