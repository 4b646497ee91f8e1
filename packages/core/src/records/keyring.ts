import { z } from "zod";
import type { RecordKind } from "./record-codec.ts";

const key = z.object({
  kid: z.string(),
  /** `next` is published before it signs; `retired` still verifies. Exactly one is `active`. */
  state: z.enum(["next", "active", "retired"]),
  /** ms */
  createdAt: z.number(),
  /** When its state began, ms. Absent: when it was made. */
  since: z.number().exactOptional(),
  /** Of a next key: somebody asked for it, so that it takes over whatever the age of the active one. */
  requested: z.literal(true).exactOptional(),
  privateJwk: z.object({ kty: z.literal("EC"), crv: z.literal("P-256"), x: z.string(), y: z.string(), d: z.string() }),
});

const schema = z.object({ keys: z.array(key).min(1) });

/** The signing keys, shared by all replicas. */
export type KeyringRecord = z.output<typeof schema>;
export type StoredKey = KeyringRecord["keys"][number];

export const keyringKind: RecordKind<KeyringRecord> = { kind: "keyring", version: 1, schema, sealed: ["keys"] };
