import fc from "fast-check";
import { redirectFault, redirectRequest } from "../packages/core/test/properties/redirects.ts";

const rounds = 1_000_000;

/**
 * A million requests with made-up redirects, each judged by a second opinion: the WHATWG parser that browsers use. No
 * answer may go to an address that is not registered. Fails with the smallest counterexample and the seed to repeat it.
 */
export async function fuzzRedirects(): Promise<void> {
  const started = performance.now();
  let matched = 0;
  fc.assert(
    fc.property(redirectRequest, (request) => {
      const fault = redirectFault(request);
      if (fault !== undefined) throw new Error(fault);
      if (request.registered.includes(request.presented)) matched += 1;
    }),
    { numRuns: rounds },
  );
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(
    `fuzz: ${rounds} redirects against their registrations, ${matched} of them registered: none astray, ${seconds} s`,
  );
}
