import type { IncomingMessage, ServerResponse } from "node:http";
import type { AuditSink, BearerVerifier, Clock, Logger, Random, SharedCounts } from "sallyport";
import { type ResourceEntry, resourcesFor } from "./config/resources.ts";
import { gatewayState, type LiveOptions } from "./gateway-state.ts";
import { createListedTools } from "./policy/listed-tools.ts";
import { createAfterChange } from "./proxy/after-change.ts";
import { createHostCheck } from "./proxy/check-host.ts";
import type { Exchange } from "./proxy/exchange.ts";
import { closing as closingFault } from "./proxy/faults.ts";
import { createRequestHandler } from "./proxy/handle-request.ts";
import { createNoEndpoint } from "./proxy/no-endpoint.ts";
import { createOpenExchanges } from "./proxy/open-exchanges.ts";
import { findRoute } from "./proxy/route.ts";
import { createSessionEnvelopes } from "./proxy/session-envelope.ts";
import type { CredentialDeps } from "./proxy/upstream-credential.ts";
import { serverStates } from "./telemetry/server-gauges.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

/** What a gateway is made of. */
export interface GatewayOptions extends LiveOptions {
  /** Public URL, without a trailing slash. */
  readonly baseUrl: string;
  readonly verifier: BearerVerifier;
  /** Signs who makes a request, for servers that want to know. */
  readonly identityAssertions?: CredentialDeps["identityAssertions"];
  /** What quotas are counted by. */
  readonly counts: SharedCounts;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly audit: AuditSink;
  /** Default: nobody asks what happens here. */
  readonly telemetry?: Telemetry;
  /** 32 bytes each; the first seals session ids, all open them. */
  readonly sessionKeys: readonly Uint8Array[];
  /** Milliseconds after which open responses are judged again. */
  readonly grantCheckInterval: number;
  /** Answers everything that is not a server's MCP endpoint. */
  readonly next: (req: IncomingMessage, res: ServerResponse) => void;
}

/** The gateway, to be put before a Node HTTP server. */
export interface Gateway {
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** The protected resources that the library must know. */
  readonly resources: readonly ResourceEntry[];
  /**
   * Computes what other options make of the gateway, and changes nothing. Servers whose way there stays the same keep
   * their connections.
   * @returns puts it in the place of what holds now, all at once, and cannot fail: call it in the same turn in which
   *   the verifier changes. Then everything that is open is judged anew. At a server that is gone or has another URL
   *   streams end in an orderly way and calls under way have a minute.
   * @throws TypeError for a wrong origin
   */
  prepare(options: LiveOptions): () => void;
  /**
   * Takes no more requests, ends streams that only wait for news, and lets the others finish. At the deadline streams end
   * in an orderly way too, calls without an answer are told to try again, and what is left is broken off.
   * @param deadline milliseconds that the others have; default 3000
   */
  close(deadline?: number): Promise<void>;
}

/** How long what is ended at the deadline has to reach its client, in milliseconds. */
const lastWord = 50;

/**
 * @throws TypeError or RangeError for options that cannot work: a wrong origin, a session key of the wrong length
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { clock, baseUrl, verifier, logger, audit, telemetry } = options;
  // One variable, so that a change of options holds for everything or for nothing.
  let state = gatewayState(options, options, undefined);
  const open = createOpenExchanges<Exchange>({
    clock,
    interval: options.grantCheckInterval,
    keepAlive: () => state.eventStreamKeepAlive,
    shortestTimeout: () => state.shortestTimeout,
  });
  const isOwnHost = createHostCheck(baseUrl);
  const answerElsewhere = createNoEndpoint(options);
  const afterChange = createAfterChange({ clock, open });
  const listed = createListedTools(logger);
  telemetry?.configured(state.policy.config);
  telemetry?.watchServers(() => serverStates(state));
  const handleRequest = createRequestHandler({
    clock,
    logger,
    audit,
    verifier,
    open,
    telemetry,
    listed: {
      saw(policy, server, page) {
        listed.saw(policy, server, page);
        telemetry?.listed(server, page.names);
      },
    },
    envelopes: createSessionEnvelopes(options.sessionKeys, options.random),
    isOwnHost,
    get state() {
      return state;
    },
    get policy() {
      return state.policy;
    },
  });
  let closing: Promise<void> | undefined;

  const finish = async (deadline: number): Promise<void> => {
    for (const exchange of open) exchange.close();
    const end = clock.monotonic() + deadline;
    while (open.size > 0 && clock.monotonic() < end) await clock.sleep(50);
    for (const exchange of open) exchange.abort();
    if (open.size > 0 && deadline > 0) await clock.sleep(lastWord);
    for (const exchange of open) exchange.abort();
    open.stop();
    for (const { upstream } of state.upstreams.values()) upstream.destroy();
    afterChange.destroy();
  };

  return {
    get resources() {
      return resourcesFor({ baseUrl, servers: state.servers });
    },
    handle(req, res) {
      const route = findRoute(state.routes, req, isOwnHost);
      if (typeof route === "string") {
        telemetry?.follow(req, res);
        if (route === "elsewhere" && telemetry?.serveMetrics(req, res) === true) return;
        return answerElsewhere(route, req, res);
      }
      if (closing === undefined) return handleRequest(req, res, route);
      const { status, headers = [], code, text } = closingFault;
      const fixed = ["Content-Type", "application/json", "X-Content-Type-Options", "nosniff"];
      res.writeHead(status, [...fixed, ...headers]);
      res.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message: text } }));
    },
    prepare(live) {
      const next = gatewayState(options, live, state);
      return () => {
        const before = state;
        state = next;
        telemetry?.configured(state.policy.config);
        afterChange.run(before, next);
      };
    },
    close(deadline = 3000) {
      closing ??= finish(deadline);
      return closing;
    },
  };
}
