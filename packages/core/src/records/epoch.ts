import { z } from "zod";
import type { RecordKind } from "./record-store.ts";

const schema = z.object({
  /** ms. No grant created before it counts. */
  instant: z.number(),
});

/** A kill switch. */
export type EpochRecord = z.output<typeof schema>;

export const epochKind: RecordKind<EpochRecord> = { kind: "epoch", version: 1, schema, sealed: [] };
