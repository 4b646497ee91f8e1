import { z } from "zod";
import type { RecordKind } from "./record-codec.ts";

const schema = z.object({
  decision: z.enum(["approve", "deny"]),
  /** Where the first answer led, so that a double submit leads there too. */
  location: z.string(),
  /** The transaction's `state` and cookies, after an approval. */
  transaction: z
    .object({ handle: z.string(), cookie: z.string(), continuation: z.string().exactOptional() })
    .exactOptional(),
});

/** A consent form that has been answered. Outlives the form, so that no answer is given twice. */
export type ConsentMark = z.output<typeof schema>;

export const consentMarkKind: RecordKind<ConsentMark> = {
  kind: "consent-mark",
  version: 1,
  schema,
  sealed: ["location", "transaction"],
};
