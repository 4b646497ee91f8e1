import fc from "fast-check";
import { expect, test } from "vitest";
import { redirectFault, redirectRequest } from "./redirects.ts";

test("no answer goes to an address that is not registered, for ten thousand pairs of registered and presented", () => {
  let matched = 0;
  fc.assert(
    fc.property(redirectRequest, (request) => {
      const fault = redirectFault(request);
      if (fault !== undefined) throw new Error(fault);
      if (request.registered.includes(request.presented)) matched += 1;
    }),
    { numRuns: 10_000 },
  );
  // The generator must not be one whose every request is refused.
  expect(matched).toBeGreaterThan(500);
});
