import { fromJsonSchema, type McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { text } from "../results.ts";

/** A schema that uses the vocabulary of JSON Schema 2020-12 which is lost where a schema is rebuilt on the way. */
const contactSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // biome-ignore lint/suspicious/noThenProperty: a JSON Schema keyword
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
};

const named = z.looseObject({ name: z.string().optional() });

/** A tool whose input schema must reach the client word by word (SEP-1613, SEP-2106). */
export function addSchemaTool(server: McpServer): void {
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Takes a contact, described in JSON Schema 2020-12.", inputSchema: fromJsonSchema(contactSchema) },
    (contact) => text(`A contact${named.parse(contact).name === undefined ? "" : " with a name"}, as described.`),
  );
}
