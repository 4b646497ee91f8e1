import type { GatewayConfigInput } from "@sallyport/gateway";
import { type CoreConfigInput, coreSection, type Environment, type Loaded } from "sallyport";
import { tlsBaseUrlRule } from "../config/listener-rules.ts";
import { type GatewaySettings, loadGatewayConfig } from "../config/load-gateway-config.ts";

/** Settings that follow from the command's own options, whatever a file says. */
const own = ["baseUrl", "issuer", "listen", "tls", "workers", "cognito", "secret", "store"] as const;

const written: Readonly<Record<(typeof own)[number], string>> = {
  baseUrl: "base_url",
  issuer: "issuer",
  listen: "listen",
  tls: "[tls]",
  workers: "workers",
  cognito: "[cognito] (but for resource_server, claims and user_info)",
  secret: "secret",
  store: "store",
};

/** Variables for the same settings: a shell set up for a real user pool must not turn the demo to it. */
const ownVariables =
  /^(?:COGNITO_|FASTMCP_|SALLYPORT_(?:BASE_URL|ISSUER|LISTEN|TLS_\w+|WORKERS|COGNITO_\w+|SECRET|STORE)$)/;

/**
 * The demo's settings, with those of a file and of the environment over them, setting by setting: a file's `servers`
 * take the place of the demo servers, and the demo's rules, which name those, go with them; its `groups` take the
 * place of the demo's. A file that has `scopes` of its own has nothing to do with the demo's, so the demo's groups and
 * machine, which give those, are left out as well. The demo's expectations stand only where nothing else decides. What
 * the command's own options decide comes from the demo in any case.
 *
 * @throws CommandFailure with a line for every problem
 */
export async function loadDevConfig(options: {
  readonly demo: CoreConfigInput & GatewayConfigInput;
  readonly file: string | undefined;
  readonly env: Environment;
}): Promise<Pick<Loaded<GatewaySettings>, "config" | "warnings" | "sourceOf">> {
  const { demo, file } = options;
  const unused: string[] = [];
  const loaded = await loadGatewayConfig({
    ...(file === undefined ? {} : { file }),
    // The demo's address is plain http on this machine.
    rules: [{ name: tlsBaseUrlRule, needs: [], check: () => {} }],
    env: Object.fromEntries(Object.entries(options.env).filter(([name]) => !ownVariables.test(name))),
    defaults: (isSet) => {
      unused.push(...own.filter((key) => isSet([key])).map((key) => written[key]));
      const decides = ["scopes", "groups", "claims", "machines", "servers", "deny"].some((key) => isSet([key]));
      const whole = decides ? { ...demo, policyTests: [] } : demo;
      if (!isSet(["scopes"])) return isSet(["servers"]) ? withoutRules(whole) : whole;
      const { scopes: _, groups: __, machines: ___, ...rest } = whole;
      return { ...rest, servers: rest.servers?.map((server) => ({ ...server, requiredScopes: [] })) };
    },
    overrides: {
      baseUrl: demo.baseUrl,
      issuer: demo.baseUrl,
      listen: demo.listen,
      workers: 1,
      cognito: demo.cognito,
      secret: demo.secret,
      store: demo.store,
    },
  });
  // What else a file says of Cognito is about another pool: its identity providers, say, are not here.
  const { resourceServer, claims, userInfo } = loaded.config.cognito;
  const cognito = { ...coreSection.shape.cognito.parse(demo.cognito), resourceServer, claims, userInfo };
  const config = { ...loaded.config, cognito, tls: undefined };
  if (file === undefined || unused.length === 0) return { ...loaded, config };
  const message = `dev has its own ${unused.join(", ")}; what stands in the file is not used`;
  return { ...loaded, config, warnings: [...loaded.warnings, { setting: file, source: file, message }] };
}

/** The demo's settings without what its scopes give at the demo servers. */
const withoutRules = (demo: CoreConfigInput & GatewayConfigInput): object => ({
  ...demo,
  scopes: Object.fromEntries(
    Object.entries(demo.scopes ?? {}).map(([name, { description, includes }]) => [name, { description, includes }]),
  ),
});
