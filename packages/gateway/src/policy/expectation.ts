import { z } from "zod";

const tool = () =>
  z.string().regex(/^[a-z0-9-]{1,32}\/[^\s]{1,256}$/, "write server/tool, such as notes/add_note; * is any other tool");

/** What the rules are meant to say of somebody. */
export const policyTest = z
  .strictObject({
    groups: z
      .array(z.string().min(1).max(128))
      .optional()
      .describe("Of a user in these Cognito groups; [] for one in none."),
    claims: z
      .record(z.string().min(1), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]))
      .optional()
      .describe("Of a user whose sign-in has these claims; an email among them counts as verified."),
    machine: z.string().min(1).optional().describe("Of this machine, by client id; in place of groups and claims."),
    allow: z.array(tool()).default([]).describe("Tools that they may call, as server/tool."),
    deny: z.array(tool()).default([]).describe("Tools that they may not call."),
  })
  .refine(
    ({ groups, claims, machine }) => (groups === undefined && claims === undefined) !== (machine === undefined),
    "give either groups (and claims) or machine",
  )
  .refine(({ allow, deny }) => allow.length + deny.length > 0, "expects nothing; add allow or deny");

/** What the rules are meant to say of somebody. */
export type PolicyTest = z.output<typeof policyTest>;
