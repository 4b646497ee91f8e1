import { bearerChallenge, type Reason } from "../errors/index.ts";

/** Why a request to a protected resource does not pass, ready to be answered. */
export class BearerRefusal extends Error {
  override readonly name = "BearerRefusal";
  readonly status: 401 | 403 | 503;
  /** For the audit event, the log and the metric. */
  readonly reason: Reason;
  /** `WWW-Authenticate`, absent where no new token would help. */
  readonly challenge: string | undefined;
  /** Seconds, for 503. */
  readonly retryAfter: number | undefined;
  readonly code: string;

  private constructor(
    status: 401 | 403 | 503,
    code: string,
    reason: Reason,
    description: string,
    extra: { challenge?: string; retryAfter?: number },
  ) {
    super(description);
    this.status = status;
    this.code = code;
    this.reason = reason;
    this.challenge = extra.challenge;
    this.retryAfter = extra.retryAfter;
  }

  /** No token at all: RFC 6750 §3.1 wants the challenge without an error code. */
  static missing(context: { scope: string; resourceMetadata: string }): BearerRefusal {
    const text = "This resource needs an access token. Sign in at the authorization server named in resource_metadata.";
    return new BearerRefusal(401, "unauthorized", "token_missing", text, { challenge: bearerChallenge(context) });
  }

  /** A token that does not hold, or whose grant does not. */
  static invalid(reason: Reason, context: { scope: string; resourceMetadata: string }): BearerRefusal {
    const text = "The access token is not valid here or has ended. Get a new one.";
    const challenge = bearerChallenge({ error: "invalid_token", errorDescription: text, ...context });
    return new BearerRefusal(401, "invalid_token", reason, text, { challenge });
  }

  /**
   * RFC 6750 §3.1 `insufficient_scope`, for what a new sign-in can give.
   * @param context.scope what the new token needs: everything missing and everything already granted
   */
  static insufficientScope(context: { scope: string; resourceMetadata: string }): BearerRefusal {
    // Inside a tool the text may be all that reaches the client.
    const text = `The access token does not cover this request. Sign in again for these scopes: ${context.scope}`;
    const challenge = bearerChallenge({ error: "insufficient_scope", errorDescription: text, ...context });
    return new BearerRefusal(403, "insufficient_scope", "scope_insufficient", text, { challenge });
  }

  /** Refused whatever token is brought: no challenge, so that no client loops through the browser. */
  static notPermitted(text = "You may not use this. Ask whoever runs this server for access."): BearerRefusal {
    return new BearerRefusal(403, "not_permitted", "not_permitted", text, {});
  }

  /** It cannot be judged now. Never 401: an outage must not look like a bad token. */
  static unavailable(reason: Reason, retryAfter = 5): BearerRefusal {
    const text = "The sign-in behind this token cannot be checked at the moment. Try again.";
    return new BearerRefusal(503, "temporarily_unavailable", reason, text, { retryAfter });
  }

  /** The answer. The name is Hono's, whose apps so give it by themselves. */
  getResponse(): Response {
    return new Response(this.body(), { status: this.status, headers: this.headers() });
  }

  /** Headers of the answer. */
  headers(): Record<string, string> {
    return {
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
      ...(this.challenge === undefined ? {} : { "WWW-Authenticate": this.challenge }),
      ...(this.retryAfter === undefined ? {} : { "Retry-After": String(this.retryAfter) }),
    };
  }

  /**
   * Body of the answer: the JSON of RFC 6749 §5.2, or a JSON-RPC error where only the request itself is refused.
   * @param id the JSON-RPC id of the refused request, if it is known
   */
  body(id: string | number | null = null): string {
    if (this.code !== "not_permitted") return JSON.stringify({ error: this.code, error_description: this.message });
    return JSON.stringify({
      jsonrpc: "2.0",
      id,
      error: { code: -32003, message: this.message, data: { reason: "not_permitted" } },
    });
  }
}
