import { z } from "zod";
import { isPreset, knownMethods, methodPresets } from "./methods.ts";

const servers = () =>
  z.array(z.string().min(1)).min(1).describe("Names of servers, or * for every one, also those added later.");

const tool = z
  .string()
  .min(1)
  .max(256)
  .refine((name) => name === "*" || !name.includes("*"), "write the tool's whole name, or * alone for every tool");

const tools = () => z.array(tool);

const method = z.string().superRefine((name, context) => {
  if (name === "*" || name.includes("/") || isPreset(name) || knownMethods.includes(name)) return;
  const message = `is neither a preset (${Object.keys(methodPresets).join(", ")}) nor a method such as tools/list, nor *`;
  context.addIssue({ code: "custom", message });
});

const methods = () => z.array(method);

/**
 * What a scope gives at servers. Strict, so that further keys (conditions on arguments, say) can come later without a
 * rule ever being read by a version that does not know them.
 */
export const allowRule = z.strictObject({
  servers: servers(),
  tools: tools().default([]).describe("Tools that may be called, by name, or * for every one."),
  methods: methods()
    .default(["read"])
    .describe(
      "Methods besides tools/call: lifecycle (to connect), read (to look at everything), all or *, or names such as prompts/get.",
    ),
});

/** What nobody may do, whatever their scopes give. */
export const denyRule = z.strictObject({
  servers: servers(),
  tools: tools().default([]).describe("Tools that may not be called, by name, or * for every one."),
  methods: methods().default([]).describe("Methods that are refused; all or * refuses everything at the servers."),
  groups: z
    .array(z.string().min(1).max(128))
    .min(1)
    .optional()
    .describe("Only users in one of these Cognito groups; with machines, those too. Everyone when both are left out."),
  machines: z.array(z.string().min(1)).min(1).optional().describe("Only these machines, by client id."),
});

/** What a scope gives at servers. */
export type AllowRule = z.output<typeof allowRule>;
/** What nobody may do, or some may not. */
export type DenyRule = z.output<typeof denyRule>;
