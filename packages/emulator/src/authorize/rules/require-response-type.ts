import type { Rule } from "../rule.ts";

/** `response_type` is `code` or `token`, and the client must be allowed that flow. */
export const requireResponseType: Rule = ({ client, parameters }) => {
  const { response_type: type } = parameters.values;
  if (type !== "code" && type !== "token") return { error: "invalid_request" };
  const flow = type === "code" ? "code" : "implicit";
  return client.allowedOAuthFlows.includes(flow) ? undefined : { error: "unauthorized_client" };
};
