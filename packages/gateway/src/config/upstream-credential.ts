import { secretSetting } from "sallyport";
import { z } from "zod";
import { isReservedForUpstream } from "../proxy/request-headers.ts";

const token = /^[A-Za-z0-9!#$%&'*+.^`|~-]+$/;

const headerName = () =>
  z
    .string()
    .max(100)
    .regex(token, "write a header name such as X-Api-Key")
    .refine(
      (name) => !isReservedForUpstream(name.toLowerCase()),
      "the gateway and the protocol use this header themselves; take another",
    );

const scheme = () => z.string().max(50).regex(token, "write a scheme such as Bearer").optional();

/** A header with a fixed secret. */
export const secretHeader = z
  .strictObject({
    name: headerName().default("Authorization").describe("Name of the header."),
    scheme: scheme().describe("Written before the value, such as Bearer."),
    value: secretSetting()
      .max(8192)
      .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "must be visible ASCII, without spaces at its ends")
      .describe("The secret."),
  })
  .describe("A header with a secret that every request to it carries.");

/** An assertion of who makes the request. */
export const identityAssertion = z
  .strictObject({
    header: headerName().default("X-Sallyport-Identity").describe("Name of the header."),
    scheme: scheme().describe("Written before the assertion, such as Bearer."),
    audience: z
      .string()
      .min(1)
      .max(2048)
      .regex(/^[\x21-\x7e]+$/, "has no spaces")
      .optional()
      .describe("Its aud; the origin of url when left out."),
  })
  .describe("A signed assertion of who makes the request, for it to verify by our key set.");
