import {
  type CallToolResult,
  type ElicitRequestFormParams,
  type InputRequiredResult,
  inputRequired,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { text } from "../results.ts";
import { answerTo } from "./ask.ts";

type FormSchema = ElicitRequestFormParams["requestedSchema"];

const personSchema: FormSchema = {
  type: "object",
  properties: {
    username: { type: "string", description: "A user name" },
    email: { type: "string", description: "An e-mail address" },
  },
  required: ["username", "email"],
};

/** A default for each primitive type (SEP-1034). */
const defaultsSchema: FormSchema = {
  type: "object",
  properties: {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  },
};

/** Each way to offer a choice (SEP-1330). */
const choicesSchema: FormSchema = {
  type: "object",
  properties: {
    untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
    titledSingle: { type: "string", oneOf: titled("First Option", "Second Option", "Third Option") },
    legacyEnum: {
      type: "string",
      enum: ["opt1", "opt2", "opt3"],
      enumNames: ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
    titledMulti: { type: "array", items: { anyOf: titled("First Choice", "Second Choice", "Third Choice") } },
  },
};

/** Tools that ask the user something; see {@link addSamplingTools} for how either era does that. */
export function addElicitationTools(server: McpServer): void {
  server.registerTool(
    "test_elicitation",
    {
      description: "Asks the user for a user name and an e-mail address.",
      inputSchema: z.object({ message: z.string().describe("What to tell the user") }),
    },
    ({ message }, context) => askOnce(context, message, personSchema),
  );
  server.registerTool(
    "test_elicitation_sep1034_defaults",
    { description: "Asks the user with a form in which everything has a default." },
    (context) => askOnce(context, "Check these values and change what is wrong.", defaultsSchema),
  );
  server.registerTool(
    "test_elicitation_sep1330_enums",
    { description: "Asks the user with a form of choices of every kind." },
    (context) => askOnce(context, "Choose in each field.", choicesSchema),
  );
  server.registerTool(
    "test_streaming_elicitation",
    { description: "Asks the user something from within a streamed answer." },
    (context) => askOnce(context, "Who are you?", personSchema),
  );
}

function askOnce(
  context: ServerContext,
  message: string,
  requestedSchema: FormSchema,
): CallToolResult | InputRequiredResult {
  const answer = answerTo(context, "form", z.record(z.string(), z.unknown()));
  if (answer.state === "missing") {
    return inputRequired({ inputRequests: { form: inputRequired.elicit({ message, requestedSchema }) } });
  }
  if (answer.state === "refused") return text(`The user answered: action=${answer.action}`);
  return text(`The user answered: action=accept, content=${JSON.stringify(answer.content)}`);
}

function titled(...titles: readonly string[]): { const: string; title: string }[] {
  return titles.map((title, index) => ({ const: `value${index + 1}`, title }));
}
