import type { Reason } from "./reason.ts";

/** Error codes on the wire: RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7591 §3.2.2, RFC 8707 §2, OpenID Connect Core §3.1.2.6. */
export type OAuthErrorCode =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "unsupported_response_type"
  | "unsupported_token_type"
  | "invalid_scope"
  | "invalid_target"
  | "access_denied"
  | "server_error"
  | "temporarily_unavailable"
  | "interaction_required"
  | "invalid_token"
  | "insufficient_scope"
  | "invalid_client_metadata"
  | "invalid_redirect_uri";

const statuses: Partial<Record<OAuthErrorCode, number>> = {
  invalid_client: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  server_error: 500,
  temporarily_unavailable: 503,
};

/** A refusal with a generic wire form and a precise inner reason. */
export class OAuthError extends Error {
  override readonly name = "OAuthError";
  readonly code: OAuthErrorCode;
  /** For the audit event, the log and the metric; never sent. */
  readonly reason: Reason;
  /** HTTP status where the error is answered directly. */
  readonly status: number;
  /** Seconds, for 429 and 503. */
  readonly retryAfter: number | undefined;
  /** @param description our own words, safe to show to anyone: it names the field and the mend */
  constructor(
    code: OAuthErrorCode,
    reason: Reason,
    description: string,
    options: { status?: number; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(description, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reason = reason;
    this.status = options.status ?? statuses[code] ?? 400;
    this.retryAfter = options.retryAfter ?? (this.status === 503 ? 5 : undefined);
  }

  /** The body of RFC 6749 §5.2. */
  toJSON(): { error: OAuthErrorCode; error_description: string } {
    return { error: this.code, error_description: this.message };
  }
}
