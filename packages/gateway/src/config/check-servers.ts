import { type CoreConfig, type Rule, ruleFor } from "sallyport";
import { foldedHeader } from "../proxy/request-headers.ts";
import type { GatewayConfig } from "./section.ts";

const rule = ruleFor<CoreConfig & GatewayConfig>();

const nameOf = (host: string): string => host.replace(/:\d+$/, "");

const hostTaken = rule("host-taken", ["servers", "resources", "baseUrl"], (config, report) => {
  const { baseUrl, servers, resources } = config;
  const own = new URL(baseUrl).hostname;
  const taken = new Map<string, string>();
  resources.forEach(({ urls }, index) => {
    for (const [at, url] of (urls ?? []).entries()) {
      taken.set(new URL(url).hostname, report.name(["resources", index, "urls", at]));
    }
  });
  servers.forEach(({ hosts }, index) => {
    hosts.forEach((host, at) => {
      const here = ["servers", index, "hosts", at] as const;
      const name = nameOf(host);
      const other = taken.get(name);
      if (name === own) report.problem(here, `is the host of ${report.name(["baseUrl"])}; take another name`);
      else if (other !== undefined) report.problem(here, `stands at ${other} already; give each server its own`);
      taken.set(name, report.name(here));
    });
  });
});

/** One listener has one port, and the public URL says which: a name with another would lead nowhere. */
const hostPort = rule("host-port", ["servers", "baseUrl"], ({ baseUrl, servers }, report) => {
  const { port } = new URL(baseUrl);
  servers.forEach(({ hosts }, index) => {
    hosts.forEach((host, at) => {
      const wanted = port === "" ? nameOf(host) : `${nameOf(host)}:${port}`;
      if (host === wanted) return;
      report.problem(
        ["servers", index, "hosts", at],
        `has another port than ${report.name(["baseUrl"])}; write ${wanted}`,
      );
    });
  });
});

const hostInClear = rule("host-in-clear", ["servers", "baseUrl"], ({ baseUrl, servers }, report) => {
  if (new URL(baseUrl).protocol === "https:") return;
  servers.forEach(({ hosts }, index) => {
    hosts.forEach((host, at) => {
      if (nameOf(host).endsWith(".localhost")) return;
      const message = "tokens for it would travel in the clear, as base_url is http; names below .localhost stay here";
      report.warn(["servers", index, "hosts", at], message);
    });
  });
});

const oneHeaderTwice = rule("one-header-twice", ["servers"], ({ servers }, report) => {
  servers.forEach(({ secretHeader, identityAssertion }, index) => {
    if (!secretHeader || !identityAssertion) return;
    if (foldedHeader(secretHeader.name) !== foldedHeader(identityAssertion.header)) return;
    const other = report.name(["servers", index, "secretHeader", "name"]);
    report.problem(["servers", index, "identityAssertion", "header"], `is the same header as ${other}; take another`);
  });
});

/** What holds of servers' host names and credentials, among themselves and with other settings. */
export const serverRules: readonly Rule[] = [hostTaken, hostPort, hostInClear, oneHeaderTwice];
