import type { Fetch } from "sallyport";

/** A token request of the gateway to Cognito, with what came back. */
export interface TokenRequest {
  readonly form: URLSearchParams;
  readonly answer: Readonly<Record<string, unknown>>;
}

/** Reads along what the gateway and Cognito say to each other. */
export interface CognitoTap {
  readonly fetch: Fetch;
  readonly tokenRequests: readonly TokenRequest[];
}

export function tapCognito(): CognitoTap {
  const tokenRequests: TokenRequest[] = [];
  return {
    tokenRequests,
    async fetch(input, init) {
      const response = await fetch(input, init);
      if (!new URL(input).pathname.endsWith("/oauth2/token")) return response;
      const answer: unknown = await response
        .clone()
        .json()
        .catch(() => ({}));
      const body = init?.body;
      const form = new URLSearchParams(body instanceof URLSearchParams || typeof body === "string" ? body : "");
      tokenRequests.push({ form, answer: typeof answer === "object" && answer !== null ? { ...answer } : {} });
      return response;
    },
  };
}
