import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { createApp } from "./app.ts";
import { checkPool } from "./config/check-pool.ts";
import { ConfigError } from "./config/config-error.ts";
import type { PoolConfig } from "./config/pool-config.ts";
import { createFaults, type Faults } from "./faults/faults.ts";
import { createRequestLog, type RequestEntry } from "./http/request-log.ts";
import { createLivePool, type LivePool } from "./live-pool.ts";
import type { Clock, Logger, Random } from "./runtime.ts";
import { silentLogger, systemClock, systemRandom } from "./runtime.ts";
import { type Addresses, createEmulation, type Emulation } from "./state/emulation.ts";

/** How to start an emulator. */
export interface CognitoEmulatorOptions {
  readonly pool: PoolConfig;
  /** 0 takes any free port. Default 9229. */
  readonly port?: number | undefined;
  /** The address to listen on. Default 127.0.0.1: nobody else should reach it. */
  readonly hostname?: string | undefined;
  /** The origin under which browsers and clients reach it. Default `http://localhost:<port>`. */
  readonly baseUrl?: string | undefined;
  /**
   * The `iss` of tokens and of the discovery document, e.g. the real form
   * `https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEfGhI`. Default `<baseUrl>/<pool id>`.
   */
  readonly issuer?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
}

/** A running emulator. */
export interface CognitoEmulator {
  /** Origin of the domain endpoints, e.g. `http://localhost:9229`. */
  readonly url: string;
  readonly port: number;
  readonly issuer: string;
  readonly userPoolId: string;
  readonly jwksUri: string;
  readonly discoveryUrl: string;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly userInfoUrl: string;
  readonly revokeUrl: string;
  readonly logoutUrl: string;
  readonly faults: Faults;
  readonly pool: LivePool;
  /** The last 10,000 requests, oldest first; live. */
  readonly requests: readonly RequestEntry[];
  /** Stops at once, open connections included. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts a local Amazon Cognito. Its state is in memory and ends with it.
 * @throws ConfigError with every problem of the options; Error if the port is taken
 */
export async function startCognitoEmulator(options: CognitoEmulatorOptions): Promise<CognitoEmulator> {
  const { hostname = "127.0.0.1", port: wantedPort = 9229, logger = silentLogger, random = systemRandom } = options;
  checkAddresses(options);
  const settings = checkPool(options.pool);
  const faultSource = createFaults(options.clock ?? systemClock);
  const log = createRequestLog();

  // Addresses hold the port, so the server listens first; nobody can ask before the caller knows it.
  const server = createServer();
  const port = await listen(server, wantedPort, hostname);

  const url = options.baseUrl ?? `http://localhost:${port}`;
  const poolUrl = `${url}/${settings.id}`;
  const addresses: Addresses = {
    url,
    issuer: options.issuer ?? poolUrl,
    jwksUri: `${poolUrl}/.well-known/jwks.json`,
  };
  const emulation: Emulation = createEmulation(settings, addresses, { clock: faultSource.clock, random, logger });
  const app = createApp(emulation, faultSource, log);
  // A library must not replace the global Request and Response of whoever uses it.
  const answer = getRequestListener(app.fetch, { hostname: "localhost", overrideGlobalObjects: false });
  server.on("request", (request, response) => {
    // As Cognito's own: by the clock that its tokens follow.
    response.setHeader("Date", new Date(faultSource.clock.now()).toUTCString());
    void answer(request, response);
  });
  logger.info("listening", { url, user_pool_id: settings.id });

  let closed: Promise<void> | undefined;
  return {
    ...addresses,
    port,
    userPoolId: settings.id,
    discoveryUrl: `${poolUrl}/.well-known/openid-configuration`,
    authorizeUrl: `${url}/oauth2/authorize`,
    tokenUrl: `${url}/oauth2/token`,
    userInfoUrl: `${url}/oauth2/userInfo`,
    revokeUrl: `${url}/oauth2/revoke`,
    logoutUrl: `${url}/logout`,
    faults: faultSource.faults,
    pool: createLivePool(emulation),
    requests: log.entries,
    close() {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closed;
    },
  };
}

function checkAddresses({ port, baseUrl, issuer }: CognitoEmulatorOptions): void {
  const problems: { path: string; message: string }[] = [];
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    problems.push({ path: "port", message: "must be a whole number from 0 to 65535" });
  }
  if (baseUrl !== undefined && (!isHttpUrl(baseUrl) || new URL(baseUrl).origin !== baseUrl)) {
    problems.push({ path: "baseUrl", message: "must be an origin such as http://localhost:9229, without a path" });
  }
  if (issuer !== undefined && (!isHttpUrl(issuer) || issuer.endsWith("/"))) {
    problems.push({ path: "issuer", message: "must be a URL without a slash at the end" });
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function listen(server: Server, port: number, hostname: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const reason = error.code === "EADDRINUSE" ? "the port is taken" : error.message;
      reject(new Error(`The Cognito emulator cannot listen on ${hostname} port ${port}: ${reason}`));
    };
    server.once("error", failed);
    server.listen(port, hostname, () => {
      server.off("error", failed);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
