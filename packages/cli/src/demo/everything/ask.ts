import {
  acceptedContent,
  inputResponse,
  type ServerContext,
  type StandardSchemaV1,
} from "@modelcontextprotocol/server";

/** What came back for something that was asked of the user. */
export type Answer<T> =
  | { readonly state: "accepted"; readonly content: T }
  | { readonly state: "refused"; readonly action: "decline" | "cancel" }
  /** Nothing yet, or something that is not an answer to the question: ask (again). */
  | { readonly state: "missing" };

/** Reads the answer to the elicitation `key` from a repeated call (SEP-2322); `schema` says what may be in it. */
export function answerTo<S extends StandardSchemaV1>(
  { mcpReq }: ServerContext,
  key: string,
  schema: S,
): Answer<StandardSchemaV1.InferOutput<S>> {
  const response = inputResponse(mcpReq.inputResponses, key);
  if (response.kind === "elicit" && response.action !== "accept") return { state: "refused", action: response.action };
  const content = acceptedContent(mcpReq.inputResponses, key, schema);
  return content === undefined ? { state: "missing" } : { state: "accepted", content };
}

/** The text of the answer to the sampling request `key`; undefined if there is none yet. */
export function sampledText({ mcpReq }: ServerContext, key: string): string | undefined {
  const response = inputResponse(mcpReq.inputResponses, key);
  if (response.kind !== "sampling") return undefined;
  const blocks = [response.result.content].flat();
  return blocks.map((block) => (block.type === "text" ? block.text : `(${block.type})`)).join("\n");
}
