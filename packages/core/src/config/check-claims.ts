import { identityClaims, isAttribute, userWritableClaims } from "./claim-names.ts";
import { type Rule, ruleFor } from "./rule.ts";
import type { CoreConfig } from "./section.ts";

const rule = ruleFor<CoreConfig>();

const claimNotKept = rule("claim-not-kept", ["claims", "cognito"], ({ claims, cognito }, report) => {
  const fault = (claim: string): string | undefined => {
    if (claim === "cognito:groups") return `is what ${report.name(["groups"])} is for; name the groups there`;
    if (identityClaims.has(claim)) return undefined;
    const listed = report.name(["cognito", "claims"]);
    if (cognito.claims) {
      return cognito.claims.includes(claim) ? undefined : `is not kept of a sign-in; add ${claim} to ${listed}`;
    }
    if (isAttribute(claim)) return undefined;
    return `is no attribute and not kept of a sign-in; list ${claim} under ${listed}, with every other that is needed`;
  };
  claims.forEach(({ claim }, index) => {
    const message = fault(claim);
    if (message !== undefined) report.problem(["claims", index, "claim"], message);
  });
});

const claimUserWritable = rule("claim-user-writable", ["claims"], ({ claims }, report) => {
  claims.forEach(({ claim }, index) => {
    if (!userWritableClaims.has(claim)) return;
    const mend = "take it from the app client's write permissions, or give scopes by a group";
    report.warn(["claims", index, "claim"], `users can choose ${claim} themselves, and so these scopes; ${mend}`);
  });
});

const claimAlwaysText = rule("claim-always-text", ["claims"], ({ claims }, report) => {
  claims.forEach(({ claim, values }, index) => {
    if (!claim.startsWith("custom:") && !identityClaims.has(claim)) return;
    values.forEach((value, at) => {
      if (typeof value === "string") return;
      report.warn(["claims", index, "values", at], `${claim} is always a text at Cognito; write "${value}"`);
    });
  });
});

/** What holds between the claims that give scopes and those that are kept. */
export const claimRules: readonly Rule[] = [claimNotKept, claimUserWritable, claimAlwaysText];
