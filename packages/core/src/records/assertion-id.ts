import { z } from "zod";
import type { RecordKind } from "./record-codec.ts";

const schema = z.object({
  /** ms */
  usedAt: z.number(),
});

/** The `jti` of an assertion that a client has used, kept until the assertion has run out: none counts twice. */
export type AssertionId = z.output<typeof schema>;

export const assertionIdKind: RecordKind<AssertionId> = { kind: "assertion-id", version: 1, schema, sealed: [] };
