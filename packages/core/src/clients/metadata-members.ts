import { z } from "zod";

/** Members of client metadata (RFC 7591 §2) that mean the same in a registration and in a metadata document. */

const mostRedirectUris = 32;

/** Texts only; each is still judged by `parseRedirectUri`. */
export const redirectUris = z
  .array(z.string("must hold texts"), "must be a list of redirect URIs")
  .min(1, "give at least one redirect URI")
  .max(mostRedirectUris, `at most ${mostRedirectUris} are allowed`);

export const oneOf = <const T extends string>(values: readonly T[]) =>
  z.enum(values, { error: `must be one of: ${values.join(", ")}` });

/** Control characters, line separators and marks that turn the direction of text: they could make one text look another. */
const deceptive = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

export const plainText = (longest: number) =>
  z
    .string("must be a text")
    .trim()
    .max(longest, `must have at most ${longest} characters`)
    .refine(
      (text) => !deceptive.test(text),
      "must not hold control characters or marks that change the text's direction",
    );

/** Refused rather than cleaned: a name that has to be cleaned was not meant well, and would not be the client's own. */
export const clientName = plainText(100).refine(
  (text) => /[^\p{Default_Ignorable_Code_Point}\p{Z}]/u.test(text),
  "must have a character that can be seen",
);

/** Anything but https could be `javascript:` in somebody's list of clients. */
export const webPage = z
  .string("must be a text")
  .max(2048, "must have at most 2048 characters")
  .refine((text) => /^https:\/\/[^\s\\@"<>]+$/.test(text) && URL.canParse(text), "must be an https URL");

/** RFC 7518 §6.2.2, §6.3.2, §6.4.1 */
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const isPrivate = (key: Readonly<Record<string, unknown>>): boolean =>
  key.kty === "oct" || privateMembers.some((member) => member in key);

/** A client that writes its private key into a registration has given it away (RFC 7591 §2: public keys only). */
export const keySet = z
  .object(
    { keys: z.array(z.record(z.string(), z.unknown()), "must hold keys").max(16, "at most 16 keys") },
    "must be a JWK set",
  )
  .refine((set) => !set.keys.some(isPrivate), "must hold public keys only");
