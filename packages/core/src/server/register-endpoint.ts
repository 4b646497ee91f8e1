import type { AuditSink } from "../audit/index.ts";
import { type ClientDirectory, parseRegistrationRequest, type RegistrationPolicy } from "../clients/index.ts";
import { OAuthError } from "../errors/index.ts";
import { jsonAnswer, readJson } from "../http/index.ts";
import { type Limiter, requireAllowance } from "../limits/index.ts";
import type { Clock } from "../runtime/index.ts";

/** `POST /register` (RFC 7591 §3): 201 with exactly what was registered. */
export function registerEndpoint(deps: {
  readonly clients: ClientDirectory;
  /** Throws OAuthError unless the request's `Authorization` lets it register. */
  readonly mayRegister: (authorization: string | undefined) => void;
  readonly policy: RegistrationPolicy;
  readonly limiter: Limiter;
  readonly maxBody: number;
  readonly audit: AuditSink;
  readonly clock: Clock;
}): (request: Request, address: string) => Promise<Response> {
  const time = () => new Date(deps.clock.now()).toISOString();
  return async (request, address) => {
    try {
      requireAllowance(deps.limiter, address, "Too many registrations from this address.");
      deps.mayRegister(request.headers.get("authorization") ?? undefined);
      const metadata = parseRegistrationRequest(await readJson(request, deps.maxBody), deps.policy);
      const { clientId, clientSecret, issuedAt } = await deps.clients.register(metadata);
      deps.audit.write({ time: time(), action: "client.registered", client: clientId });
      return jsonAnswer(201, {
        client_id: clientId,
        client_id_issued_at: issuedAt,
        // RFC 7591 §3.2.1: required with a secret; 0 means that it does not expire.
        ...(clientSecret === undefined ? {} : { client_secret: clientSecret, client_secret_expires_at: 0 }),
        ...metadata,
      });
    } catch (error) {
      if (error instanceof OAuthError) {
        deps.audit.write({ time: time(), action: "client.refused", reason: error.reason, status: error.status });
      }
      throw error;
    }
  };
}
