import { Hono, type MiddlewareHandler } from "hono";
import type { AppEnv } from "./endpoints/app-env.ts";
import { authorize } from "./endpoints/authorize.ts";
import { discoveryDocument } from "./endpoints/discovery.ts";
import { errorEndpoint } from "./endpoints/error.ts";
import { showLogin, submitLogin } from "./endpoints/login.ts";
import { logout } from "./endpoints/logout.ts";
import { revoke } from "./endpoints/revoke.ts";
import { token, tokenWrongMethod } from "./endpoints/token.ts";
import { userInfo } from "./endpoints/user-info.ts";
import { applyFaults } from "./faults/apply-faults.ts";
import type { FaultSource } from "./faults/faults.ts";
import { limitBody } from "./http/limit-body.ts";
import type { RequestLog } from "./http/request-log.ts";
import type { Emulation } from "./state/emulation.ts";

/** Every route of the domain and of the issuer. */
export function createApp(emulation: Emulation, faults: FaultSource, log: RequestLog): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.use(limitBody);
  app.use(applyFaults(faults, log));

  for (const path of ["/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo"]) app.use(path, openToAnyOrigin);
  for (const path of ["/oauth2/authorize", "/authorize"]) app.get(path, (c) => authorize(emulation, c));
  app.get("/login", (c) => showLogin(emulation, c));
  app.post("/login", (c) => submitLogin(emulation, c));
  app.get("/logout", (c) => logout(emulation, c));
  app.get("/error", (c) => errorEndpoint(c));
  app.post("/oauth2/token", (c) => token(emulation, c));
  app.all("/oauth2/token", (c) => tokenWrongMethod(emulation, c));
  app.post("/oauth2/revoke", (c) => revoke(emulation, c));
  app.get("/oauth2/userInfo", (c) => userInfo(emulation, c));

  const wellKnown = `/${emulation.settings.id}/.well-known`;
  app.get(`${wellKnown}/jwks.json`, async (c) => c.json(await emulation.keys.jwks()));
  app.get(`${wellKnown}/openid-configuration`, (c) => c.json(discoveryDocument(emulation.addresses)));

  app.onError((error, c) => {
    emulation.logger.error("request failed", { path: c.req.path, error: error.message });
    return c.text("Internal error", 500);
  });
  return app;
}

/** `Access-Control-Allow-Origin: *`, and an answer to the preflight that lets any of these requests through. */
const openToAnyOrigin: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.req.method === "OPTIONS") {
    const headers = c.req.header("access-control-request-headers");
    return c.body(null, 204, {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET, POST, OPTIONS",
      ...(headers !== undefined && { "access-control-allow-headers": headers }),
    });
  }
  await next();
  c.header("access-control-allow-origin", "*");
  return undefined;
};
