import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError, coreSection, type Problem, parseCoreConfig } from "./index.ts";
import { formatPath } from "./names.ts";
import { bare, elementOf, fieldsOf, isTable, type Path, recordOf } from "./walk.ts";

const hash = `sha256:${"a".repeat(43)}`;

/** Settings in which every table, list and record has something, to be made wrong in one place at a time. */
const whole = {
  baseUrl: "https://mcp.example.com",
  cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
  resources: [{ path: "/mcp", urls: ["https://other.example.com/mcp"] }],
  scopes: { read: {} },
  groups: { readers: ["read"] },
  claims: [{ claim: "custom:team", values: ["a"], scopes: ["read"] }],
  clients: { app: { name: "App", redirectUris: ["https://app.example/cb"] } },
  machines: { robot: { scopes: ["read"] } },
  resourceServers: { notes: { secretHashes: [hash], resources: ["/mcp"] } },
  kms: { keyId: "alias/mcp" },
};

const flag = ["yes", /^must be true or false, not a text$/] as const;
const text = [5, /^must be a text, not a number$/] as const;
const scopeText = ["a b", /^a scope has no spaces/] as const;
const time = ["10 minutes", /^write a duration such as 15s/] as const;
const number = [0, /^must be at least 1$/] as const;
const path = ["mcp", /^a path begins with \//] as const;
const url = ["mcp.example.com", /^write a full URL, https:/] as const;
const link = ["http://example.com", /^must be an https URL/] as const;
const hashText = ["password", /^write sha256: and the hash/] as const;
const host = ["https://claude.ai", /^write a host such as claude\.ai/] as const;
/** A key is judged as a whole. */
const usableKey = /^must hold a public key for/;
const keyName = /^this name cannot be used: /;

/**
 * A wrong value of each kind for every setting, and what must be said of it. `[]` is an entry of a list, `*` a value
 * under a name that the operator chose, `*=` that name.
 */
const rows: Readonly<Record<string, readonly [wrong: unknown, message: RegExp, named?: string]>> = {
  baseUrl: url,
  issuer: url,
  "cognito.userPoolId": ["AbCdEfGhI", /^a user pool id looks like eu-central-1_AbCdEfGhI$/],
  "cognito.clientId": ["4 example", /^an app client id has letters and digits only$/],
  "cognito.clientSecret": [undefined, /^is missing: set cognito\.clientSecret to the secret; .* to null$/],
  "cognito.domain": ["", /^must not be empty$/],
  "cognito.endpoint": url,
  "cognito.scopes[]": scopeText,
  "cognito.resourceServer": ['m"cp', /^an identifier has no spaces, quotes/],
  "cognito.identityProvider": ["x".repeat(33), /^must have at most 32 characters$/],
  "cognito.idpIdentifier": ["x".repeat(41), /^must have at most 40 characters$/],
  "cognito.lang": ["d", /^must have at least 2 characters$/],
  "cognito.prompt": ["none", /^must be login or select_account$/],
  "cognito.acrValues[]": ["a b", /^a value has no spaces$/],
  "cognito.resource": ["mcp.example.com", /^write a full URL/],
  "cognito.claims[]": ["a b", /^a claim's name has no spaces$/],
  "cognito.userInfo": flag,
  "cognito.logoutUri": url,
  "cognito.globalSignOut": flag,
  "cognito.timeout": ["1m", /^must be at most 9s$/],
  "resources[].path": path,
  "resources[].urls[]": url,
  "resources[].name": text,
  "resources[].scopes[]": scopeText,
  "resources[].requiredScopes[]": scopeText,
  "resources[].accessTtl": time,
  "requiredScopes[]": scopeText,
  defaultResource: path,
  "scopes.*=": ["a b", keyName],
  "scopes.*.description": text,
  "scopes.*.includes[]": scopeText,
  "scopes.*.stepUp": flag,
  "groups.*=": ["x".repeat(129), keyName],
  "groups.*[]": scopeText,
  "claims[].claim": ["a b", /^a claim's name has no spaces$/],
  "claims[].values[]": [null, /^must be a text, not null, or: must be a number/],
  "claims[].scopes[]": scopeText,
  "clients.*=": ["a b", keyName],
  "clients.*.name": ["", /^must not be empty$/],
  "clients.*.redirectUris[]": text,
  "clients.*.secretHashes[]": hashText,
  "clients.*.jwks.keys[].*": ["EC", usableKey, "clients.app.jwks"],
  "clients.*.jwksUri": ["http://keys.example", /^must be https$/],
  "clients.*.scopes[]": scopeText,
  "clients.*.firstParty": flag,
  "machines.*=": ["a b", keyName],
  "machines.*.scopes[]": scopeText,
  "machines.*.resources[]": path,
  "machines.*.jwks.keys[].*": ["EC", usableKey, "machines.robot.jwks"],
  "machines.*.jwksUri": ["http://keys.example", /^must be https$/],
  "resourceServers.*=": ["a b", keyName],
  "resourceServers.*.secretHashes[]": hashText,
  "resourceServers.*.resources[]": path,
  "registration.enabled": flag,
  "registration.defaultScopes[]": scopeText,
  "registration.allowedScopes[]": scopeText,
  "registration.publicClientPatterns[]": text,
  "registration.redirectHosts[]": host,
  "registration.initialAccessTokens[]": text,
  "registration.cap": number,
  "registration.unusedTtl": time,
  "registration.customSchemes[]": ["my app:", /^write a scheme such as cursor/],
  "metadataDocuments.enabled": flag,
  "metadataDocuments.allowedHosts[]": host,
  "metadataDocuments.deniedHosts[]": host,
  "consent.remember": time,
  "consent.mostRemembered": number,
  "branding.name": ["", /^must not be empty$/],
  "branding.logo": ["http://example.com/a.png", /^write an https URL or a data:image/],
  "branding.accentColor": ["red", /^write a colour such as #0e5f63$/],
  "branding.termsUrl": link,
  "branding.privacyUrl": link,
  "tokens.accessTtl": ["2h", /^must be at most 1h$/],
  "tokens.codeTtl": time,
  "tokens.refreshIdleTtl": time,
  "tokens.refreshTtl": time,
  "tokens.graceWindow": time,
  "tokens.grantCheckInterval": time,
  "tokens.upstreamMaxAge": time,
  "tokens.upstreamGrace": time,
  "keys.rotateEvery": time,
  "keys.publishBefore": time,
  "limits.register": number,
  "limits.authorize": number,
  "limits.consent": number,
  "limits.token": number,
  "limits.introspect": number,
  "limits.failedClientAuth": number,
  "limits.client": number,
  "limits.principal": number,
  "trustedProxies[]": ["proxy.internal", /10\.0\.0\.0\/8/],
  "secret[]": ["password", /too weak/],
  "kms.keyId": ["", /^must not be empty$/],
  "kms.region": ["Frankfurt", /^write a region such as eu-central-1$/],
  "kms.endpoint": url,
  "kms.readOnly": flag,
  store: ["postgres://db", /cannot be postgres:.*sqlite/],
  exposeCognitoToken: flag,
  "allowedOrigins[]": ["*", /https:\/\/app\.example\.com/],
  maxBody: ["64 kB", /^write a size such as 64KiB/],
  logLevel: ["verbose", /^must be debug or info or warn or error$/],
  logFormat: ["xml", /^must be text or json$/],
};

/** Every place in a schema where a value of its own stands, and every table, list and record on the way there. */
function placesOf(schema: z.ZodType, at = ""): { readonly values: string[]; readonly containers: string[] } {
  const fields = fieldsOf(schema);
  const record = recordOf(schema);
  const element = elementOf(schema);
  const inner = [
    ...[...(fields ?? [])].map(([name, field]) => placesOf(field, at === "" ? name : `${at}.${name}`)),
    ...(record ? [placesOf(record, `${at}.*`)] : []),
    ...(element ? [placesOf(element, `${at}[]`)] : []),
  ];
  if (inner.length === 0) return { values: [at], containers: [] };
  const core = bare(schema);
  const anyName = !(core instanceof z.ZodRecord) || (core.keyType instanceof z.ZodString && !core.keyType.def.checks);
  return {
    values: [...(anyName ? [] : [`${at}.*=`]), ...inner.flatMap(({ values }) => values)],
    containers: [...(at === "" ? [] : [at]), ...inner.flatMap(({ containers }) => containers)],
  };
}

/** The settings with a value at a place, and where that is. */
function withValue(place: string, value: unknown): { readonly settings: typeof whole; readonly path: Path } {
  const settings: unknown = structuredClone(whole);
  const steps = place.replaceAll("[]", ".[]").split(".");
  const path: (string | number)[] = [];
  let at = settings;
  for (const [depth, step] of steps.entries()) {
    if (typeof at !== "object" || at === null) throw new Error(`nothing at ${place}`);
    const name = step === "*" ? (Object.keys(at)[0] ?? "name") : step === "*=" ? String(value) : step;
    const last = depth === steps.length - 1;
    const index = step === "[]" ? 0 : undefined;
    path.push(index ?? name);
    const next: unknown = last
      ? step === "*="
        ? (Object.values(at)[0] ?? {})
        : value
      : (Reflect.get(at, index ?? name) ?? (steps[depth + 1] === "[]" ? [] : {}));
    Reflect.set(at, index ?? name, next);
    at = next;
  }
  return { settings: settings as typeof whole, path };
}

function problemsOf(settings: typeof whole): readonly Problem[] {
  try {
    parseCoreConfig(settings as unknown as Parameters<typeof parseCoreConfig>[0]);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const places = placesOf(coreSection);

test("the settings that are made wrong here are right", () => {
  expect(problemsOf(whole)).toEqual([]);
});

test("every setting has its row, and no row is of a setting that is gone", () => {
  expect(Object.keys(rows).sort()).toEqual([...places.values].sort());
});

describe("a wrong value is named with its mend", () => {
  test.each(Object.entries(rows))("%s", (place, [wrong, message, named]) => {
    const { settings, path } = withValue(place, wrong);
    const [problem, ...more] = problemsOf(settings);
    expect(more).toEqual([]);
    expect(problem?.setting).toBe(named ?? formatPath(coreSection, path, "camel"));
    expect(problem?.message).toMatch(message);
    expect(problem?.message).not.toContain("does not have the form that is needed");
  });
});

describe("something else where a table or a list should be", () => {
  test.each(places.containers)("%s", (place) => {
    const { settings, path } = withValue(place, 5);
    const [problem, ...more] = problemsOf(settings);
    expect(more).toEqual([]);
    expect(problem).toMatchObject({
      setting: formatPath(coreSection, path, "camel"),
      message: expect.stringMatching(/^must be a (?:table|list), not a number$/),
    });
  });
});

describe("a setting that is not there", () => {
  const named = places.containers.filter((place) => {
    const at = place
      .split(".")
      .reduce<z.ZodType | undefined>((schema, step) => schema && fieldsOf(schema)?.get(step), coreSection);
    return at !== undefined && isTable(at);
  });
  test.each(["", ...named])("in %s", (place) => {
    const { settings, path } = withValue(place === "" ? "nonsense" : `${place}.nonsense`, 1);
    expect(problemsOf(settings)).toMatchObject([
      { setting: formatPath(coreSection, path, "camel"), message: expect.stringMatching(/^is not a setting/) },
    ]);
  });
});

describe("what must be there and is not", () => {
  test.each([
    "baseUrl",
    "cognito",
    "cognito.userPoolId",
    "cognito.clientId",
    "cognito.domain",
    "resources[].path",
    "claims[].claim",
    "clients.*.name",
    "machines.*.scopes",
    "resourceServers.*.resources",
    "kms.keyId",
  ])("%s", (place) => {
    const { settings, path } = withValue(place, undefined);
    const problems = problemsOf(settings);
    for (const problem of problems) {
      expect(problem.setting.startsWith(formatPath(coreSection, path, "camel"))).toBe(true);
      expect(problem.message).toMatch(/^is missing/);
    }
    expect(problems.length).toBeGreaterThan(0);
  });
});
