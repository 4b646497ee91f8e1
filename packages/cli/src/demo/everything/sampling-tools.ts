import { inputRequired, type McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { text } from "../results.ts";
import { sampledText } from "./ask.ts";

/**
 * Tools that want something from the client's language model. They return `inputRequired`: a 2026-07-28 client answers
 * it by calling again, a 2025 client is asked on the open stream. A client that did not declare `sampling` gets an
 * error, -32021 on 2026-07-28.
 */
export function addSamplingTools(server: McpServer): void {
  server.registerTool(
    "test_sampling",
    {
      description: "Passes a prompt to the client's language model and answers with what it says.",
      inputSchema: z.object({ prompt: z.string().describe("What to ask the model") }),
    },
    ({ prompt }, context) => {
      const answer = sampledText(context, "answer");
      if (answer !== undefined) return text(`The model answered: ${answer}`);
      const messages = [{ role: "user" as const, content: { type: "text" as const, text: prompt } }];
      return inputRequired({ inputRequests: { answer: inputRequired.createMessage({ messages, maxTokens: 100 }) } });
    },
  );
  server.registerTool(
    "test_missing_capability",
    { description: "Needs the client's language model, so it is refused to a client that has not declared sampling." },
    (context) => {
      const answer = sampledText(context, "answer");
      if (answer !== undefined) return text(`The client can sample: ${answer}`);
      const messages = [{ role: "user" as const, content: { type: "text" as const, text: "Say anything." } }];
      return inputRequired({ inputRequests: { answer: inputRequired.createMessage({ messages, maxTokens: 10 }) } });
    },
  );
}
