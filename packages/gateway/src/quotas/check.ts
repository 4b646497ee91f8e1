import { type CoreConfig, nearest, type Rule, ruleFor } from "sallyport";
import type { GatewayConfig } from "../config/section.ts";
import { labelOf } from "./compile.ts";

const rule = ruleFor<CoreConfig & GatewayConfig>();

const hint = (name: string, known: readonly string[]): string => {
  const meant = nearest(name, known);
  return meant === undefined ? "" : `; did you mean ${meant}?`;
};

const unknownNames = rule(
  "quota-names",
  ["servers", "groups", "machines", "quotas"],
  ({ servers, groups, machines, quotas }, report) => {
    const serverNames = servers.map(({ name }) => name);
    const machineIds = Object.keys(machines);
    quotas.forEach((quota, at) => {
      quota.servers?.forEach((name, index) => {
        if (serverNames.includes(name)) return;
        const message = `there is no server ${JSON.stringify(name)}${hint(name, serverNames)}`;
        report.problem(["quotas", at, "servers", index], message);
      });
      quota.machines?.forEach((id, index) => {
        if (machineIds.includes(id)) return;
        const message = `there is no machine ${JSON.stringify(id)}${hint(id, machineIds)}`;
        report.problem(["quotas", at, "machines", index], message);
      });
      quota.groups?.forEach((name, index) => {
        if (Object.hasOwn(groups, name)) return;
        const message = `${report.name(["groups"])} has no such group: it concerns nobody unless Cognito has it`;
        report.warn(["quotas", at, "groups", index], `${message}${hint(name, Object.keys(groups))}`);
      });
    });
  },
);

const duplicate = rule("quota-duplicate", ["quotas"], ({ quotas }, report) => {
  const first = new Map<string, number>();
  quotas.forEach((quota, at) => {
    const label = labelOf(quota);
    const other = first.get(label);
    if (other === undefined) first.set(label, at);
    else report.problem(["quotas", at], `counts the same as ${report.name(["quotas", other])}; keep one of the two`);
  });
});

/** What holds between quotas and the servers, groups and machines that they name. */
export const quotaRules: readonly Rule[] = [unknownNames, duplicate];
