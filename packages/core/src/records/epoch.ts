import { z } from "zod";
import { lookupHash, type RootKey } from "../crypto/index.ts";
import type { RecordKind } from "./record-codec.ts";

const schema = z.object({
  /** ms. No grant created before it counts. */
  instant: z.number(),
  /** Whom it concerns (`all`, `user …`, `client …`), so that it can be found again under another root secret. */
  name: z.string(),
});

/** A kill switch. */
export type EpochRecord = z.output<typeof schema>;

export const epochKind: RecordKind<EpochRecord> = { kind: "epoch", version: 1, schema, sealed: ["name"] };

/** Under which id the switch of this name stands. Whoever may know another root secret only has to look there too. */
export const epochId = (key: RootKey, name: string): string => (name === "all" ? name : lookupHash(key, "epoch", name));
