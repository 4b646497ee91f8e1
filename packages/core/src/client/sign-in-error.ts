/** Why a browser sign-in did not end with a code. */
export class SignInError extends Error {
  override readonly name = "SignInError";
  /** The code of the authorization server (RFC 6749 §4.1.2.1), or `timeout` or `invalid_response` for our own. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
