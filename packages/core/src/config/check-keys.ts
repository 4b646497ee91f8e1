import { importVerificationKey, signatureAlgorithms } from "../crypto/index.ts";
import type { KeySource } from "./own-keys.ts";
import { type Rule, type RuleReport, ruleFor } from "./rule.ts";
import type { CoreConfig } from "./section.ts";
import type { Path } from "./walk.ts";

const rule = ruleFor<CoreConfig>();

const usable = `a public key for ${signatureAlgorithms.join(", ")} (RSA from 2048 bits, P-256, Ed25519)`;

/** What is wrong with keys themselves, whoever's they are. */
function checkKeys({ jwks, jwksUri }: KeySource, path: Path, report: RuleReport): void {
  if (jwks && jwksUri !== undefined) {
    report.problem([...path, "jwksUri"], `does not go with ${report.name([...path, "jwks"])}; leave one of them out`);
  }
  if (jwksUri !== undefined && !isPlainUrl(jwksUri)) {
    report.problem([...path, "jwksUri"], "must be a full URL without user name and fragment, https://…");
  }
  const useless = jwks?.keys.flatMap((jwk, index) => (importVerificationKey(jwk) ? [] : [index])) ?? [];
  if (jwks && useless.length === jwks.keys.length) report.problem([...path, "jwks"], `must hold ${usable}`);
  else for (const index of useless) report.warn([...path, "jwks", "keys", index], `is ignored: it is not ${usable}`);
}

function isPlainUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && url.username === "" && url.password === "" && !text.includes("#");
}

const clientKeys = rule("client-keys", ["clients"], ({ clients }, report) => {
  for (const [id, client] of Object.entries(clients)) {
    const path = ["clients", id];
    checkKeys(client, path, report);
    if (client.secretHashes.length === 0) continue;
    for (const key of ["jwks", "jwksUri"] as const) {
      if (client[key] === undefined) continue;
      const other = report.name([...path, "secretHashes"]);
      report.problem([...path, key], `does not go with ${other}: a client has secrets or keys; leave one of them out`);
    }
  }
});

const machineKeys = rule("machine-keys", ["machines"], ({ machines }, report) => {
  for (const [id, machine] of Object.entries(machines)) checkKeys(machine, ["machines", id], report);
});

const duplicateId = rule(
  "duplicate-id",
  ["clients", "machines", "resourceServers"],
  ({ clients, machines, resourceServers }, report) => {
    const first = new Map<string, Path>();
    for (const [kind, ids] of Object.entries({ clients, machines, resourceServers })) {
      for (const id of Object.keys(ids)) {
        const other = first.get(id);
        if (!other) first.set(id, [kind, id]);
        else report.problem([kind, id], `${report.name(other)} has the same id; give each its own`);
      }
    }
  },
);

/** What holds between those who authenticate here, and between their keys. */
export const keyRules: readonly Rule[] = [clientKeys, machineKeys, duplicateId];
