import { z } from "zod";
import { lookupHash, type RootKey } from "../crypto/index.ts";
import type { RecordKind } from "./record-codec.ts";

const approval = z.object({
  /** Names it in the list that its user sees. */
  id: z.string(),
  clientId: z.string(),
  /** As the consent page showed it. */
  clientName: z.string(),
  redirectUri: z.string(),
  resource: z.string(),
  /** What was approved, included scopes spelled out. */
  scopes: z.array(z.string()),
  /** ms */
  approvedAt: z.number(),
});

/** What a user approved once, so that the same need not be asked again. */
export type RememberedApproval = z.output<typeof approval>;

const schema = z.object({
  /** Whose they are (`sub`), so that the record can be found again under another root secret. */
  user: z.string(),
  /** Oldest first. */
  approvals: z.array(approval),
});

/** Every remembered approval of one user. */
export type RememberedConsents = z.output<typeof schema>;

export const rememberedConsentsKind: RecordKind<RememberedConsents> = {
  kind: "remembered-consents",
  version: 1,
  schema,
  sealed: ["user", "approvals"],
};

/** Under which id a user's approvals stand. */
export const rememberedConsentsId = (key: RootKey, user: string): string =>
  lookupHash(key, "remembered-consents", user);
