import {
  type CreateMessageRequestParams,
  type InputRequest,
  type InputRequests,
  inputRequired,
  inputResponse,
  type McpServer,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { failure, text } from "../results.ts";
import { answerTo, sampledText } from "./ask.ts";
import type { RequestStates } from "./request-state.ts";

const nameAnswer = z.object({ name: z.string() });
const colorAnswer = z.object({ color: z.string() });
const okAnswer = z.object({ ok: z.boolean() });

/** Tools that need one or more rounds with the client before they can answer (SEP-2322). */
export function addInputRequiredTools(server: McpServer, states: RequestStates): void {
  addOneRoundTools(server);
  addStatefulTools(server, states);
  addCapabilityTool(server);
}

function addOneRoundTools(server: McpServer): void {
  server.registerTool(
    "test_input_required_result_elicitation",
    { description: "Asks the user's name, then greets them." },
    (context) => {
      const answer = answerTo(context, "user_name", nameAnswer);
      if (answer.state === "refused") return text("Hello, whoever you are!");
      if (answer.state === "accepted") return text(`Hello, ${answer.content.name}!`);
      return inputRequired({ inputRequests: { user_name: ask("What is your name?", nameAnswer) } });
    },
  );
  server.registerTool(
    "test_input_required_result_sampling",
    { description: "Asks the client's model a question about geography." },
    (context) => {
      const answer = sampledText(context, "capital_question");
      if (answer !== undefined) return text(answer);
      return inputRequired({ inputRequests: { capital_question: sample("What is the capital of France?", 100) } });
    },
  );
  server.registerTool(
    "test_input_required_result_list_roots",
    { description: "Asks the client for its roots, then counts them." },
    (context) => {
      const response = inputResponse(context.mcpReq.inputResponses, "client_roots");
      if (response.kind === "roots") return text(`Roots: ${response.roots.map(({ uri }) => uri).join(", ") || "none"}`);
      return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    },
  );
}

function addStatefulTools(server: McpServer, states: RequestStates): void {
  for (const tool of ["test_input_required_result_request_state", "test_input_required_result_tampered_state"]) {
    server.registerTool(
      tool,
      { description: "Asks for a confirmation and takes it only with the state it gave out, unchanged." },
      async (context) => {
        const answer = answerTo(context, "confirm", okAnswer);
        if (answer.state === "refused") return text("Not confirmed.");
        if (answer.state === "accepted" && states.read(context, tool) !== undefined) return text("state-ok");
        return inputRequired({
          inputRequests: { confirm: ask("Please confirm.", okAnswer) },
          requestState: await states.mint({ tool, step: 0 }, context),
        });
      },
    );
  }

  const several = "test_input_required_result_multiple_inputs";
  server.registerTool(
    several,
    { description: "Asks the user, the client's model and the client's roots all at once." },
    async (context) => {
      const name = answerTo(context, "user_name", nameAnswer);
      const greeting = sampledText(context, "greeting");
      const roots = inputResponse(context.mcpReq.inputResponses, "client_roots");
      if (name.state === "refused") return text("The user would not say their name.");
      const complete = name.state === "accepted" && greeting !== undefined && roots.kind === "roots";
      if (complete && states.read(context, several) !== undefined) {
        return text(`${name.content.name} has ${roots.roots.length} roots; the model says: ${greeting}`);
      }
      return inputRequired({
        inputRequests: {
          user_name: ask("What is your name?", nameAnswer),
          greeting: sample("Write a greeting.", 50),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await states.mint({ tool: several, step: 0 }, context),
      });
    },
  );

  const rounds = "test_input_required_result_multi_round";
  server.registerTool(rounds, { description: "Asks two questions, one after the other." }, async (context) => {
    const state = states.read(context, rounds);
    const first = answerTo(context, "step1", nameAnswer);
    const second = answerTo(context, "step2", colorAnswer);
    if (first.state === "refused" || second.state === "refused") return text("Then not.");
    const name = state?.step === 1 ? state.name : undefined;
    if (name !== undefined && second.state === "accepted") return text(`${name} likes ${second.content.color}.`);
    const known = name ?? (state?.step === 0 && first.state === "accepted" ? first.content.name : undefined);
    if (known !== undefined) {
      return inputRequired({
        inputRequests: { step2: ask("Step 2: what is your favourite colour?", colorAnswer) },
        requestState: await states.mint({ tool: rounds, step: 1, name: known }, context),
      });
    }
    return inputRequired({
      inputRequests: { step1: ask("Step 1: what is your name?", nameAnswer) },
      requestState: await states.mint({ tool: rounds, step: 0 }, context),
    });
  });
}

function addCapabilityTool(server: McpServer): void {
  server.registerTool(
    "test_input_required_result_capabilities",
    { description: "Asks only for what the client has declared it can do." },
    (context) => {
      // As this request says on 2026-07-28, as `initialize` said before.
      const declared = server.server.getClientCapabilities() ?? {};
      const inputRequests: InputRequests = {};
      if (declared.elicitation) inputRequests.user_name = ask("What is your name?", nameAnswer);
      if (declared.sampling) inputRequests.greeting = sample("Write a greeting.", 50);
      if (declared.roots) inputRequests.client_roots = inputRequired.listRoots();
      const keys = Object.keys(inputRequests);
      if (keys.length === 0) return failure("The client has declared none of elicitation, sampling and roots.");
      const answered = keys.filter((key) => inputResponse(context.mcpReq.inputResponses, key).kind !== "missing");
      if (answered.length === keys.length) return text(`Answered: ${answered.join(", ")}`);
      return inputRequired({ inputRequests });
    },
  );
}

function ask(message: string, requestedSchema: z.ZodObject): InputRequest {
  return inputRequired.elicit({ message, requestedSchema });
}

function sample(prompt: string, maxTokens: number): InputRequest {
  const messages: CreateMessageRequestParams["messages"] = [{ role: "user", content: { type: "text", text: prompt } }];
  return inputRequired.createMessage({ messages, maxTokens });
}
