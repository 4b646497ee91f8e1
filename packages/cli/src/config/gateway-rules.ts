import { type GatewayConfig, pathOf, policyRules, quotaRules, serverRules, telemetryRules } from "@sallyport/gateway";
import { type CoreConfig, type Rule, ruleFor, scopeFault } from "sallyport";
import { listenerRules } from "./listener-rules.ts";

const rule = ruleFor<CoreConfig & GatewayConfig>();

/** Paths of all resources of a gateway: those of the setting, and one for each server. */
const resourcePaths = (config: Pick<CoreConfig & GatewayConfig, "resources" | "servers">): readonly string[] => [
  ...config.resources.map(({ path }) => path),
  ...config.servers.map(pathOf),
];

const noResource = (paths: readonly string[]): string =>
  `is not the path of a server or resource; there are: ${paths.length === 0 ? "none" : paths.join(", ")}`;

/** Takes the place of the library's rule, which knows no servers. */
const defaultResource = rule("default-resource", ["defaultResource", "resources", "servers"], (config, report) => {
  const paths = resourcePaths(config);
  if (config.defaultResource === undefined || paths.includes(config.defaultResource)) return;
  report.problem(["defaultResource"], noResource(paths));
});

/** Takes the place of the library's rule, which knows no servers. */
const machineResource = rule("machine-resource", ["machines", "resources", "servers"], (config, report) => {
  const paths = resourcePaths(config);
  for (const [id, machine] of Object.entries(config.machines)) {
    machine.resources?.forEach((path, index) => {
      if (!paths.includes(path)) report.problem(["machines", id, "resources", index], noResource(paths));
    });
  }
});

/** Takes the place of the library's rule, which knows no servers. */
const resourceServerResource = rule(
  "resource-server-resource",
  ["resourceServers", "resources", "servers"],
  (config, report) => {
    const paths = resourcePaths(config);
    for (const [id, server] of Object.entries(config.resourceServers)) {
      server.resources.forEach((path, index) => {
        if (!paths.includes(path)) report.problem(["resourceServers", id, "resources", index], noResource(paths));
      });
    }
  },
);

const resourceOfServer = rule("resource-of-server", ["resources", "servers"], (config, report) => {
  const servers = resourcePaths({ resources: [], servers: config.servers });
  config.resources.forEach(({ path }, index) => {
    const server = servers.indexOf(path);
    if (server < 0) return;
    const message = `${path} is the path of ${report.name(["servers", server])} already; remove one of the two`;
    report.problem(["resources", index, "path"], message);
  });
});

const exposedToken = rule("exposed-cognito-token", ["exposeCognitoToken"], (config, report) => {
  if (!config.exposeCognitoToken) return;
  report.problem(
    ["exposeCognitoToken"],
    "is for code that calls the library; no server of a gateway gets the token: remove it",
  );
});

const unknownScopeOfServer = rule("unknown-scope-of-server", ["servers", "scopes"], ({ servers, scopes }, report) => {
  servers.forEach((server, index) => {
    server.requiredScopes.forEach((scope, at) => {
      const fault = scopeFault(scope, scopes, report.name(["scopes"]));
      if (fault !== undefined) report.problem(["servers", index, "requiredScopes", at], fault);
    });
  });
});

const pathInBaseUrl = rule("path-in-base-url", ["baseUrl"], ({ baseUrl }, report) => {
  if (new URL(baseUrl).pathname === "/") return;
  report.problem(["baseUrl"], "must have no path: the gateway answers at the root of its host name; leave it out");
});

const nothingToProtect = rule("nothing-to-protect", ["servers", "resources"], ({ servers, resources }, report) => {
  if (servers.length + resources.length > 0) return;
  report.warn(["servers"], "there is no server and no resource, so nobody can sign in to anything; add [[servers]]");
});

/** What holds between the settings of the gateway and those of the library. */
export const gatewayRules: readonly Rule[] = [
  defaultResource,
  machineResource,
  resourceServerResource,
  resourceOfServer,
  exposedToken,
  unknownScopeOfServer,
  pathInBaseUrl,
  nothingToProtect,
  ...policyRules,
  ...quotaRules,
  ...telemetryRules,
  ...serverRules,
  ...listenerRules,
];

/** A server without a root secret would lose every sign-in with its process, so it does not start. */
export const secretRule: Rule = rule("secret-missing", ["secret"], ({ secret }, report) => {
  if (secret.length > 0) return;
  report.problem(
    ["secret"],
    "is missing: set SALLYPORT_SECRET to at least 32 random bytes, such as from: openssl rand -base64 32",
  );
});
