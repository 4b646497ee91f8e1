import { z } from "zod";
import type { RecordKind } from "./record-store.ts";

const key = z.object({
  kid: z.string(),
  /** `next` is published before it signs; `retired` still verifies. Exactly one is `active`. */
  state: z.enum(["next", "active", "retired"]),
  /** ms */
  createdAt: z.number(),
  privateJwk: z.object({ kty: z.literal("EC"), crv: z.literal("P-256"), x: z.string(), y: z.string(), d: z.string() }),
});

const schema = z.object({ keys: z.array(key).min(1) });

/** The signing keys, shared by all replicas. */
export type KeyringRecord = z.output<typeof schema>;

export const keyringKind: RecordKind<KeyringRecord> = { kind: "keyring", version: 1, schema, sealed: ["keys"] };
