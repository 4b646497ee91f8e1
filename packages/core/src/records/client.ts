import { z } from "zod";
import type { RecordKind } from "./record-codec.ts";

const schema = z.object({
  /** Client metadata exactly as the registration answered it (RFC 7591 §3.2.1), without the secret. */
  metadata: z.record(z.string(), z.unknown()),
  secretHash: z.string().exactOptional(),
  /** Seconds since the Unix epoch. */
  issuedAt: z.number(),
  /** Whether it ever reached consent; an unused one may be dropped at the cap. */
  used: z.boolean(),
});

/** A dynamically registered client. */
export type ClientRecord = z.output<typeof schema>;

export const clientKind: RecordKind<ClientRecord> = { kind: "client", version: 1, schema, sealed: [] };

const slotSchema = z.object({ clientId: z.string() });

/** A place in the ring of registrations: who registered there last. */
export type RegistrationSlot = z.output<typeof slotSchema>;

export const registrationSlotKind: RecordKind<RegistrationSlot> = {
  kind: "registration-slot",
  version: 1,
  schema: slotSchema,
  sealed: [],
};
