import type { GatewayConfig } from "@sallyport/gateway";
import { type CoreConfig, isLoopbackHost, type Rule, ruleFor } from "sallyport";

const rule = ruleFor<CoreConfig & GatewayConfig>();

const plainHttp = rule(
  "plain-http",
  ["listen", "tls", "trustedProxies", "allowPlainHttp"],
  ({ listen, tls, trustedProxies, allowPlainHttp }, report) => {
    const { host } = listen;
    if (tls !== undefined || isLoopbackHost(host.includes(":") ? `[${host}]` : host)) return;
    const certificate = `${report.name(["tls", "certificate"])} and ${report.name(["tls", "key"])}`;
    if (allowPlainHttp) {
      const message = `is set, and ${host} is not loopback: whoever sees the network sees every token; prefer ${certificate}`;
      report.warn(["allowPlainHttp"], message);
    } else if (trustedProxies.length === 0) {
      const proxy = `name the proxy that does so in ${report.name(["trustedProxies"])}`;
      const mend = `give ${certificate}, or ${proxy}, or set ${report.name(["allowPlainHttp"])} to true`;
      report.problem(["listen"], `${host} is open to other machines, and nothing there ends TLS: ${mend}`);
    }
  },
);

/** For `dev`, which has a base_url of its own, to be put in another's place. */
export const tlsBaseUrlRule = "tls-base-url";

const tlsBaseUrl = rule(tlsBaseUrlRule, ["tls", "baseUrl"], ({ tls, baseUrl }, report) => {
  if (tls === undefined || baseUrl.startsWith("https:")) return;
  report.problem(["baseUrl"], `must be https, as the listener speaks TLS with ${report.name(["tls"])}`);
});

const headerTimeout = rule("header-timeout", ["connections"], ({ connections }, report) => {
  if (connections.headerTimeout <= connections.requestTimeout) return;
  const whole = report.name(["connections", "requestTimeout"]);
  report.problem(["connections", "headerTimeout"], `must not be longer than ${whole}, which counts the headers too`);
});

const workersStore = rule("workers-store", ["workers", "store"], ({ workers, store }, report) => {
  if (workers === 1 || store !== "memory:") return;
  const message = `memory: is one process's own, and ${report.name(["workers"])} asks for several; take sqlite:./path, redis:// or dynamodb://`;
  report.problem(["store"], message);
});

/** What holds between the settings of the listener and the others. */
export const listenerRules: readonly Rule[] = [plainHttp, tlsBaseUrl, headerTimeout, workersStore];
