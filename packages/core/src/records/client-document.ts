import { z } from "zod";
import type { RecordKind } from "./record-codec.ts";

/** Milliseconds since the Unix epoch. */
const instant = z.number();

const schema = z.discriminatedUnion("state", [
  z.object({
    state: z.literal("valid"),
    /** The document as it was served; read anew each time, under the rules that then hold. */
    body: z.string(),
    /** When it was first found valid. */
    knownSince: instant,
    /** When its host last said so. */
    checkedAt: instant,
    /** How long it may be used from then on without asking, ms. */
    lifetime: z.number(),
    etag: z.string().exactOptional(),
    lastModified: z.string().exactOptional(),
  }),
  z.object({
    /** It was fetched and found invalid, or gone: what any replica still has of it counts no more. */
    state: z.literal("refused"),
    knownSince: instant,
    checkedAt: instant,
  }),
]);

/** The metadata document of a client that has grants, found by its URL. Public as it is, so nothing is sealed. */
export type ClientDocumentRecord = z.output<typeof schema>;

export const clientDocumentKind: RecordKind<ClientDocumentRecord> = {
  kind: "client-document",
  version: 1,
  schema,
  sealed: [],
};
