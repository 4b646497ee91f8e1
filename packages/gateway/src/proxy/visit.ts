import type { IncomingMessage, ServerResponse } from "node:http";
import type { Principal } from "sallyport";
import type { GatewayState } from "../gateway-state.ts";
import type { RequestWatch } from "../telemetry/request-watch.ts";
import type { Message } from "./parse-message.ts";
import type { RequestHead } from "./request-head.ts";
import type { Route } from "./route.ts";

/** One request on its way through the gateway. Each step fills in what it has found. */
export interface Visit {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** What the settings made of the gateway when the request came, or when it was judged anew. */
  state: GatewayState;
  route: Route;
  readonly head: RequestHead;
  /** CORS headers of whatever is answered; empty for a request that no script of another page made. */
  cors: readonly string[];
  principal: Principal | undefined;
  message: Message | undefined;
  /** Who follows it for metrics, traces and the access log, if anybody does. */
  watch: RequestWatch | undefined;
  /** What decided: a rule of the policy by its place, or why none could. Absent before that. */
  because?: string;
  /** The upstream's session id, and the envelope that the client showed for it. */
  session: { readonly upstreamId: string; readonly envelope: string } | undefined;
}
