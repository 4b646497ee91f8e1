import { z } from "zod";

const id = z.int();
const text = z.string();

const toPrimary = z.discriminatedUnion("sallyport", [
  z.object({ sallyport: z.literal("ready") }),
  z.object({ sallyport: z.literal("failed"), lines: z.array(text) }),
  z.object({ sallyport: z.literal("metrics.wanted"), id }),
  z.object({ sallyport: z.literal("metrics.own"), id, text }),
]);

const toWorker = z.discriminatedUnion("sallyport", [
  z.object({ sallyport: z.literal("metrics.read"), id }),
  z.object({ sallyport: z.literal("metrics.all"), id, text }),
]);

/** What a worker tells the process that started it. */
export type ToPrimary = z.output<typeof toPrimary>;

/** What it is told. */
export type ToWorker = z.output<typeof toWorker>;

/** Undefined for what is not ours: Node itself sends messages of its own. */
export const parseToPrimary = (message: unknown): ToPrimary | undefined => toPrimary.safeParse(message).data;

/** The same on the other side. */
export const parseToWorker = (message: unknown): ToWorker | undefined => toWorker.safeParse(message).data;
