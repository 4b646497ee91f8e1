import { requestedScopes } from "../../scopes/requested-scopes.ts";
import type { Rule } from "../rule.ts";

/** On the wire the error is `invalid_request`; `invalid_scope` is its description. */
export const requireClientScopes: Rule = ({ client, parameters }) =>
  requestedScopes(client, parameters.values.scope) === undefined
    ? { error: "invalid_request", description: "invalid_scope" }
    : undefined;
