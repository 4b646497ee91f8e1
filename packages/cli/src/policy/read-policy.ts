import { randomBytes } from "node:crypto";
import { compile, type Policy, type RulePlace } from "@sallyport/gateway";
import { formatProblem, type Loaded, type Problem, type ScopeCatalog, scopeCatalog } from "sallyport";
import { type GatewaySettings, loadGatewayConfig } from "../config/load-gateway-config.ts";
import { demoSettings } from "../dev/demo-settings.ts";
import { type DevDescription, readDescription } from "../dev/dev-json.ts";
import { loadDevConfig } from "../dev/load-dev-config.ts";
import { CommandFailure } from "../process/failure.ts";
import { writeError } from "../process/output.ts";
import { serverResources } from "../serve/server-resources.ts";

/** Where the settings are looked for. */
export interface PolicySource {
  readonly config?: string;
  /** State folder of `sallyport dev`. */
  readonly state?: string;
}

/** A policy with what is needed to ask it. Nothing is started, no network is used. */
export interface ReadPolicy {
  readonly config: GatewaySettings;
  readonly policy: Policy;
  readonly catalog: ScopeCatalog;
  /** The users of the local Cognito, where the settings are those of `sallyport dev`. */
  readonly users: DevDescription["users"];
  /** Path of the resource that a server is. */
  readonly pathOf: (server: string) => string;
  /** Every public URL of a server, each of which a token may be for. */
  readonly urlsOf: (server: string) => readonly string[];
  /** A rule as people find it: `scopes."mcp/read".allow[0] (sallyport.toml:12)`. */
  readonly placeOf: (rule: RulePlace) => string;
  readonly sourceOf: (path: readonly (string | number)[]) => string;
}

/**
 * Reads and compiles the policy of a deployment; without a file, of the `sallyport dev` that runs, if one does, else of
 * the environment.
 * @throws CommandFailure with a line for every problem
 */
export async function readPolicy(source: PolicySource): Promise<ReadPolicy> {
  const dev =
    source.config === undefined || source.state !== undefined
      ? readDescription(source.state ?? ".sallyport")
      : undefined;
  if (source.state !== undefined && dev === undefined) {
    throw new CommandFailure(`nothing runs in ${source.state}: start it with sallyport dev --state ${source.state}`);
  }
  if (dev && source.state === undefined) writeError("the policy is that of the sallyport dev that runs here");
  const { config, warnings, sourceOf } = await (dev ? ofDev(dev, source.config) : ofDeployment(source.config));
  for (const warning of warnings) writeError(`warning: ${formatProblem(warning)}`);
  const resources = serverResources(config);
  const servers = config.servers.map(({ name }, index) => ({
    name,
    path: resources[index]?.path ?? "",
    requiredScopes: resources[index]?.requiredScopes ?? [],
  }));
  const challenges = { challenge: () => ({ scope: "", resourceMetadata: "" }) };
  const paths = new Map(servers.map(({ name, path }) => [name, path]));
  const urls = new Map(
    config.servers.map(({ name }, index) => {
      const { path = "", urls: further = [] } = resources[index] ?? {};
      return [name, [`${config.baseUrl}${path}`, ...further]];
    }),
  );
  return {
    config,
    policy: compile(
      {
        servers: servers.map((server) => ({ ...server, resource: server.path })),
        scopes: config.scopes,
        deny: config.deny,
      },
      challenges,
    ),
    catalog: scopeCatalog({ ...config, resources: [...config.resources, ...resources.map(asResource)] }),
    users: dev?.users ?? [],
    pathOf: (server) => paths.get(server) ?? "",
    urlsOf: (server) => urls.get(server) ?? [],
    placeOf(rule) {
      const path = rule.kind === "deny" ? ["deny", rule.index] : ["scopes", rule.scope, "allow", rule.index];
      const from = sourceOf(path);
      return from === "default" || from === "code" ? rule.setting : `${rule.setting} (${from})`;
    },
    sourceOf,
  };
}

const asResource = ({ path, name, requiredScopes, accessTtl }: ReturnType<typeof serverResources>[number]) => ({
  path,
  name,
  requiredScopes,
  ...(accessTtl === undefined ? {} : { accessTtl }),
});

type Read = Pick<Loaded<GatewaySettings>, "config" | "sourceOf"> & { readonly warnings: readonly Problem[] };

const ofDeployment = (file: string | undefined): Promise<Read> =>
  loadGatewayConfig({ ...(file === undefined ? {} : { file }), env: process.env });

const ofDev = (dev: DevDescription, file: string | undefined): Promise<Read> =>
  loadDevConfig({
    demo: demoSettings({
      gatewayUrl: dev.gateway,
      port: Number(new URL(dev.gateway).port),
      cognitoUrl: dev.cognito.url,
      clients: {
        clientId: dev.cognito.client_id,
        clientSecret: dev.cognito.client_secret,
        machineId: dev.machine.client_id,
        machineSecret: dev.machine.client_secret,
      },
      // Nothing is sealed here.
      secret: randomBytes(32).toString("base64url"),
      store: "memory:",
      servers: dev.servers.map((server) => dev.upstreams.find(({ name }) => name === server.name) ?? server),
    }),
    file,
    env: process.env,
  });
