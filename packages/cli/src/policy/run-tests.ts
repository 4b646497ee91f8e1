import type { PolicyTest } from "@sallyport/gateway";
import { CommandFailure } from "../process/failure.ts";
import { writeLine } from "../process/output.ts";
import { ask, callOf, type Subject } from "./ask.ts";
import { type PolicySource, readPolicy } from "./read-policy.ts";

/**
 * `sallyport policy test`: whether the rules say what `policy_tests` expects of them.
 * @returns the exit status
 * @throws CommandFailure with a line for every expectation that does not hold, or where there is none
 */
export async function testPolicy(options: PolicySource): Promise<number> {
  const read = await readPolicy(options);
  const { policyTests } = read.config;
  if (policyTests.length === 0)
    throw new CommandFailure("there are no expectations; write them under [[policy_tests]]");
  let held = 0;
  const failures: string[] = [];
  for (const [index, expected] of policyTests.entries()) {
    const subject = subjectOf(expected);
    for (const key of ["allow", "deny"] as const) {
      for (const [at, tool] of expected[key].entries()) {
        const { decision, because } = ask(read, subject, callOf(tool));
        if (decision.allow === (key === "allow")) {
          held += 1;
          continue;
        }
        const place = `policy_tests[${index}].${key}[${at}] (${read.sourceOf(["policyTests", index, key, at])})`;
        const verb = decision.allow ? "may" : "may not";
        failures.push(`${place}: ${subject.name} ${verb} call ${tool}: ${because}`);
      }
    }
  }
  if (failures.length > 0) throw new CommandFailure(...failures);
  writeLine(`ok: ${held} expectation${held === 1 ? "" : "s"} hold${held === 1 ? "s" : ""}`);
  return 0;
}

function subjectOf({ groups = [], claims = {}, machine }: PolicyTest): Subject {
  if (machine !== undefined) return { kind: "machine", name: machine, groups: [] };
  const place = groups.length === 0 ? "in no group" : `in ${groups.join(" and ")}`;
  const named = Object.keys(claims);
  const name = `a user ${place}${named.length === 0 ? "" : ` with ${named.join(" and ")}`}`;
  return { kind: "user", name, groups, claims };
}
