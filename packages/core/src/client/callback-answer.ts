import { constantTimeEqual } from "../crypto/index.ts";
import { SignInError } from "./sign-in-error.ts";

/** What the browser brought back to the redirect URI. */
export type CallbackAnswer =
  | { readonly kind: "code"; readonly code: string }
  /** The sign-in is over without a code. */
  | { readonly kind: "failed"; readonly error: SignInError }
  /** Not the answer to this sign-in: to be refused, and waited on. */
  | { readonly kind: "foreign" };

/** RFC 6749 §4.1.2.1 NQSCHAR: nothing that moves a cursor or colours a terminal. */
const printable = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * Judges an authorization response. `state` first: what lacks it may come from any page that the browser has open. Then
 * `iss` (RFC 9207): an answer from another authorization server says nothing here, not even an error.
 * @param expected.issRequired whether the server's metadata promises `iss`
 */
export function readCallback(
  params: URLSearchParams,
  expected: { readonly state: string; readonly issuer: string; readonly issRequired: boolean },
): CallbackAnswer {
  const [state, ...moreStates] = params.getAll("state");
  if (state === undefined || moreStates.length > 0 || !constantTimeEqual(state, expected.state)) {
    return { kind: "foreign" };
  }
  const failed = (code: string, message: string): CallbackAnswer => ({
    kind: "failed",
    error: new SignInError(code, message),
  });
  for (const name of ["iss", "code", "error"]) {
    if (params.getAll(name).length > 1) return failed("invalid_response", `the answer has ${name} more than once`);
  }
  const iss = params.get("iss");
  if (iss === null ? expected.issRequired : iss !== expected.issuer) {
    return failed("invalid_response", `the answer is not from ${expected.issuer}; sign in again`);
  }
  const error = params.get("error");
  if (error !== null) {
    const description = params.get("error_description") ?? "";
    const code = printable.test(error) ? error : "invalid_response";
    return failed(code, printable.test(description) ? description : `the authorization server refused: ${code}`);
  }
  const code = params.get("code");
  if (code === null || code === "") return failed("invalid_response", "the answer has neither code nor error");
  return { kind: "code", code };
}
