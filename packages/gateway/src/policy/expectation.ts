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
    machine: z.string().min(1).optional().describe("Of this machine, by client id; in place of groups."),
    allow: z.array(tool()).default([]).describe("Tools that they may call, as server/tool."),
    deny: z.array(tool()).default([]).describe("Tools that they may not call."),
  })
  .refine(({ groups, machine }) => (groups === undefined) !== (machine === undefined), "give either groups or machine")
  .refine(({ allow, deny }) => allow.length + deny.length > 0, "expects nothing; add allow or deny");

/** What the rules are meant to say of somebody. */
export type PolicyTest = z.output<typeof policyTest>;
