import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OAuthError } from "../../src/errors/index.ts";
import {
  type Entitling,
  grantedScopes,
  requestedScopes,
  type ScopeCatalog,
  scopeCatalog,
} from "../../src/scopes/index.ts";

const names = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"] as const;
const some = fc.subarray([...names]);
const inGroups = (groups: readonly string[]): Entitling => ({ sub: "ada", groups, claims: {} });

/** Catalogs as a configuration may describe them: scopes include only later ones, so that there is no ring. */
const catalog: fc.Arbitrary<ScopeCatalog> = fc
  .record({
    includes: fc.array(some, { minLength: names.length, maxLength: names.length }),
    groups: fc.dictionary(fc.constantFrom("g0", "g1", "g2"), some),
    resource: fc.option(some, { nil: undefined }),
    machine: fc.array(fc.constantFrom(...names), { minLength: 1 }),
  })
  .map(({ includes, groups, resource, machine }) =>
    scopeCatalog({
      scopes: Object.fromEntries(
        names.map((name, index) => [
          name,
          { includes: (includes[index] ?? []).filter((other) => other > name), stepUp: false },
        ]),
      ),
      groups,
      machines: { robot: { scopes: machine } },
      resources: [{ path: "/mcp", requiredScopes: [], ...(resource === undefined ? {} : { scopes: resource }) }],
    } as Parameters<typeof scopeCatalog>[0]),
  );

const isPartOf = (part: readonly string[], whole: readonly string[]): boolean =>
  part.every((scope) => whole.includes(scope));

describe("scope algebra", () => {
  test("expanding adds and never takes away, and doing it twice changes nothing", () => {
    fc.assert(
      fc.property(catalog, some, (scopes, given) => {
        const expanded = scopes.expand(given);
        expect(isPartOf(given, expanded)).toBe(true);
        expect(scopes.expand(expanded)).toEqual(expanded);
        expect(new Set(expanded).size).toBe(expanded.length);
      }),
      { numRuns: 2_000 },
    );
  });

  test("what is granted lies inside the request, the client's bound, the groups and the resource", () => {
    fc.assert(
      fc.property(
        catalog,
        some,
        fc.option(some, { nil: undefined }),
        fc.subarray(["g0", "g1", "g2", "gx"]),
        (scopes, requested, allowed, groups) => {
          const entitled = scopes.ofUser(inGroups(groups));
          const granted = grantedScopes(
            { requested, allowedForClient: allowed, entitled, resourcePath: "/mcp" },
            scopes,
          );
          expect(isPartOf(granted, scopes.expand(requested))).toBe(true);
          expect(isPartOf(granted, entitled)).toBe(true);
          expect(isPartOf(granted, scopes.ofResource("/mcp"))).toBe(true);
          if (allowed) expect(isPartOf(granted, scopes.expand(allowed))).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("asking for less, or being in fewer groups, never gives more", () => {
    fc.assert(
      fc.property(
        catalog,
        some,
        some,
        fc.subarray(["g0", "g1", "g2"]),
        fc.subarray(["g0", "g1", "g2"]),
        (scopes, a, b, g, h) => {
          const grant = (requested: readonly string[], groups: readonly string[]) =>
            grantedScopes({ requested, entitled: scopes.ofUser(inGroups(groups)), resourcePath: "/mcp" }, scopes);
          expect(isPartOf(grant(a, g), grant([...a, ...b], g))).toBe(true);
          expect(isPartOf(grant(a, g), grant(a, [...g, ...h]))).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("nobody without a known group gets anything, and a machine only what is written down", () => {
    fc.assert(
      fc.property(catalog, some, (scopes, requested) => {
        const entitled = scopes.ofUser(inGroups(["gx", "__proto__", "constructor"]));
        expect(grantedScopes({ requested, entitled, resourcePath: "/mcp" }, scopes)).toEqual([]);
        expect(scopes.ofMachine("stranger", "/mcp")).toEqual([]);
        expect(scopes.ofMachine("robot", "/elsewhere")).toEqual([]);
        expect(isPartOf(scopes.ofMachine("robot", "/mcp"), scopes.ofResource("/mcp"))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("a scope parameter of any form is read as scopes of the resource or refused as invalid_scope", () => {
    const parameter = fc.oneof(
      fc.string(),
      fc
        .array(fc.oneof(fc.constantFrom(...names, "openid", "offline_access"), fc.string({ maxLength: 4 })))
        .map((all) => all.join(" ")),
    );
    fc.assert(
      fc.property(catalog, parameter, (scopes, text) => {
        try {
          expect(isPartOf(requestedScopes(text, "/mcp", scopes), scopes.ofResource("/mcp"))).toBe(true);
        } catch (error) {
          if (!(error instanceof OAuthError)) throw error;
          expect(error.code).toBe("invalid_scope");
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
