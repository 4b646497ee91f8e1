/** The errors of the token and revocation endpoints, with the exact bodies Cognito sends. */
export type OAuthErrorCode =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "unsupported_token_type"
  | "invalid_scope";

/** A request that is refused. Only `code` and `description` go on the wire; `reason` is for the log. */
export class OAuthError extends Error {
  override readonly name = "OAuthError";
  readonly code: OAuthErrorCode;
  readonly description: string | undefined;
  readonly reason: string;

  /** @param reason for whoever reads the emulator's log; never holds a secret */
  constructor(code: OAuthErrorCode, reason: string, description?: string) {
    super(reason);
    this.code = code;
    this.reason = reason;
    this.description = description;
  }

  /** `error`, and `error_description` where Cognito has one. */
  get body(): { error: OAuthErrorCode; error_description?: string } {
    return {
      error: this.code,
      ...(this.description !== undefined && { error_description: this.description }),
    };
  }
}
