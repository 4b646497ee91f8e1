import { completable, type GetPromptResult, inputRequired, type McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { ServingContext } from "../mcp-definition.ts";
import { answerTo } from "./ask.ts";
import { RED_PIXEL_PNG } from "./media.ts";
import type { SharedState } from "./shared-state.ts";

type Content = GetPromptResult["messages"][number]["content"];

const SUGGESTIONS = ["paris", "park", "party", "test", "testValue1"];
const contextAnswer = z.object({ context: z.string() });

/** One prompt of each kind: plain, with arguments, with a resource, with an image, with a question, and a passing one. */
export function addPrompts(server: McpServer, shared: SharedState, context: ServingContext): void {
  server.registerPrompt("test_simple_prompt", { description: "A prompt without arguments" }, () =>
    messages(says("A prompt without arguments.")),
  );
  server.registerPrompt(
    "test_prompt_with_arguments",
    {
      description: "A prompt with two arguments, the first of which can be completed",
      argsSchema: z.object({
        arg1: completable(z.string().describe("The first"), (start) => SUGGESTIONS.filter((s) => s.startsWith(start))),
        arg2: z.string().describe("The second"),
      }),
    },
    ({ arg1, arg2 }) => messages(says(`The arguments are arg1='${arg1}' and arg2='${arg2}'.`)),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    {
      description: "A prompt with a resource in it",
      argsSchema: z.object({ resourceUri: z.string().describe("The URI to give the resource") }),
    },
    ({ resourceUri }) =>
      messages(
        { type: "resource", resource: { uri: resourceUri, mimeType: "text/plain", text: "What the resource says." } },
        says("Work with the resource above."),
      ),
  );
  server.registerPrompt("test_prompt_with_image", { description: "A prompt with an image in it" }, () =>
    messages({ type: "image", data: RED_PIXEL_PNG, mimeType: "image/png" }, says("Describe the image above.")),
  );
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "A prompt that asks the user something first (SEP-2322)" },
    (request) => {
      const answer = answerTo(request, "user_context", contextAnswer);
      if (answer.state === "accepted") return messages(says(`Work in this context: ${answer.content.context}`));
      if (answer.state === "refused") return messages(says("Work without further context."));
      const question = { message: "In which context should it work?", requestedSchema: contextAnswer };
      return inputRequired({ inputRequests: { user_context: inputRequired.elicit(question) } });
    },
  );
  const extra = server.registerPrompt("test_extra_prompt", { description: "Comes and goes" }, () =>
    messages(says("Here I am.")),
  );
  extra.enabled = shared.extraPrompt;
  context.onChange(() => {
    extra.enabled = shared.extraPrompt;
  });
}

function says(text: string): Content {
  return { type: "text", text };
}

function messages(...contents: readonly Content[]): GetPromptResult {
  return { messages: contents.map((content) => ({ role: "user", content })) };
}
