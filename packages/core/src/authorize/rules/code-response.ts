import { OAuthError } from "../../errors/index.ts";

/** Rule 3: the only response is a code in the query (OAuth 2.1 §4.1.1; the implicit grant is gone). */
export function codeResponse(responseType: string | undefined, responseMode: string | undefined): void {
  if (responseType === undefined) {
    throw new OAuthError("invalid_request", "malformed_request", "response_type is missing; use code");
  }
  if (responseType !== "code") {
    throw new OAuthError("unsupported_response_type", "response_type_unsupported", "response_type must be code");
  }
  if (responseMode !== undefined && responseMode !== "query") {
    throw new OAuthError("invalid_request", "response_type_unsupported", "response_mode must be query");
  }
}
