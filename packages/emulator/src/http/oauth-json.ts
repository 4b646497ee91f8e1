import { type Random, uuid } from "../runtime.ts";

/** A JSON answer with the headers of Cognito's OAuth endpoints; never cached (RFC 6749 section 5.1). */
export function oauthJson(random: Random, status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json;charset=UTF-8",
      "cache-control": "no-store",
      pragma: "no-cache",
      "x-amz-cognito-request-id": uuid(random),
    },
  });
}
