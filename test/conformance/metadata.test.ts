import { type KeyObject, randomUUID } from "node:crypto";
import { createRemoteJWKSet, jwtVerify, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createWalker, signIn } from "../support/browser-walk.ts";
import { type DocumentHost, startDocumentHost } from "../support/document-host.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, postToken, type TestClient, tokenAnswer } from "../support/oauth-client.ts";
import { configurations, jwks, pairs, redirectUri, secret } from "./configurations.ts";

// The metadata documents of several configurations, compared with what answers: what is named is served, and what is
// served and has a name there is named.

const strings = z.array(z.string()).default([]);
const serverMetadata = z.looseObject({
  issuer: z.string(),
  authorization_endpoint: z.string(),
  token_endpoint: z.string(),
  registration_endpoint: z.string().optional(),
  jwks_uri: z.string(),
  scopes_supported: strings,
  response_types_supported: strings,
  response_modes_supported: strings,
  grant_types_supported: strings,
  token_endpoint_auth_methods_supported: strings,
  token_endpoint_auth_signing_alg_values_supported: strings,
  code_challenge_methods_supported: strings,
  client_id_metadata_document_supported: z.boolean().default(false),
});
type ServerMetadata = z.output<typeof serverMetadata>;

/**
 * Every endpoint that a metadata document may name (RFC 8414, 7591, 7009, 7662, 8628, 9126, OpenID Connect), with the path
 * that it would have here. `/logout` is a page for people: it takes nothing of what `end_session_endpoint` stands for.
 */
const endpoints = [
  ["authorization_endpoint", "GET", "/authorize"],
  ["token_endpoint", "POST", "/token"],
  ["registration_endpoint", "POST", "/register"],
  ["revocation_endpoint", "POST", "/revoke"],
  ["introspection_endpoint", "POST", "/introspect"],
  ["device_authorization_endpoint", "POST", "/device_authorization"],
  ["pushed_authorization_request_endpoint", "POST", "/par"],
  ["userinfo_endpoint", "GET", "/userinfo"],
] as const;

const grantTypes = [
  "authorization_code",
  "refresh_token",
  "client_credentials",
  "password",
  "implicit",
  "urn:ietf:params:oauth:grant-type:device_code",
  "urn:ietf:params:oauth:grant-type:jwt-bearer",
  "urn:ietf:params:oauth:grant-type:token-exchange",
];

let documents: DocumentHost;
beforeAll(async () => {
  documents = await startDocumentHost();
});
afterAll(() => documents.close());

/** A client that is known by the URL of its metadata document. */
function published(method: string, name = method): TestClient {
  const clientId = `https://client.example/${name}`;
  const document = { client_id: clientId, client_name: "A published app", redirect_uris: [redirectUri] };
  const keys = method === "private_key_jwt" ? { jwks } : {};
  documents.publish(clientId, { ...document, token_endpoint_auth_method: method, ...keys });
  return { clientId, redirectUri };
}

describe.each(configurations)("the metadata documents advertise exactly what is served: %s", (_, change, named) => {
  let env: TestEnvironment;
  let document: unknown;
  let metadata: ServerMetadata;
  /** How a client comes that uses a method; undefined where this deployment has none. */
  let clientOf: (method: string) => Promise<TestClient | undefined>;

  beforeAll(async () => {
    env = await startEnvironment({ change, runtime: { network: documents.network } });
    const issuer = new URL(env.settings.issuer ?? env.url);
    const path = issuer.pathname === "/" ? "" : issuer.pathname;
    const answer = await fetch(`${env.url}/.well-known/oauth-authorization-server${path}`);
    expect(answer.status).toBe(200);
    document = await answer.json();
    metadata = serverMetadata.parse(document);
    clientOf = async (method) => {
      const [id] = { none: ["public"], private_key_jwt: ["keys"] }[method] ?? ["secret"];
      if (id !== undefined && Object.hasOwn(env.settings.clients ?? {}, id)) {
        return { clientId: id, redirectUri, ...(id === "secret" ? { clientSecret: secret } : {}) };
      }
      if (metadata.registration_endpoint !== undefined) return registerBy(method);
      return metadata.client_id_metadata_document_supported ? published(method) : undefined;
    };
  });
  afterAll(() => env.close());

  const registerBy = async (method: string): Promise<TestClient | undefined> => {
    const answer = await fetch(`${env.url}/register`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: method,
        ...(method === "private_key_jwt" ? { jwks } : {}),
      }),
    });
    if (answer.status !== 201) return undefined;
    const { client_id, client_secret } = z
      .object({ client_id: z.string(), client_secret: z.string().optional() })
      .parse(await answer.json());
    return {
      clientId: client_id,
      redirectUri,
      ...(client_secret === undefined ? {} : { clientSecret: client_secret }),
    };
  };

  /** Form and headers with which a client authenticates by a method. */
  const presented = async (
    { clientId, clientSecret = "no-secret" }: TestClient,
    method: string,
    alg = "ES256",
  ): Promise<readonly [form: Record<string, string>, headers?: Record<string, string>]> => {
    switch (method) {
      case "client_secret_basic":
        return [{}, { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}` }];
      case "client_secret_post":
        return [{ client_id: clientId, client_secret: clientSecret }];
      case "private_key_jwt":
      case "client_secret_jwt": {
        const key = method === "private_key_jwt" ? signingKey(alg) : new TextEncoder().encode(clientSecret.padEnd(32));
        const assertion = new SignJWT()
          .setProtectedHeader({ alg: method === "private_key_jwt" ? alg : "HS256" })
          .setIssuer(clientId)
          .setSubject(clientId)
          .setAudience(metadata.issuer)
          .setExpirationTime(Math.floor(env.clock.now() / 1000) + 60)
          .setJti(randomUUID());
        const type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        return [{ client_assertion: await assertion.sign(key), client_assertion_type: type }];
      }
      default:
        return [{ client_id: clientId }];
    }
  };

  /** Whether a client is who it says, by the endpoint that asks for nothing else (RFC 7009 §2.1). */
  const authenticates = async (client: TestClient, method: string, alg?: string): Promise<boolean> => {
    const [form, headers = {}] = await presented(client, method, alg);
    const body = new URLSearchParams({ token: "nonsense", ...form });
    const answer = await fetch(`${env.url}/revoke`, { method: "POST", body, headers });
    expect([200, 401]).toContain(answer.status);
    return answer.status === 200;
  };

  const anyClient = async (): Promise<TestClient & { readonly method: string }> => {
    const [method = ""] = metadata.token_endpoint_auth_methods_supported;
    const client = await clientOf(method);
    if (!client) throw new Error(`nobody may come by ${method}`);
    return { ...client, method };
  };

  test("the document is the issuer's own, and the OpenID alias says the same", async () => {
    expect(metadata.issuer).toBe(env.settings.issuer ?? env.url);
    const alias = await fetch(`${metadata.issuer}/.well-known/openid-configuration`);
    expect(await alias.json()).toMatchObject(Object(document));
  });

  test("every endpoint that is named answers, and none that is not", async () => {
    const known = new Set<string>(endpoints.map(([member]) => member));
    const members = Object.keys(metadata).filter((member) => member.endsWith("_endpoint"));
    expect(members.filter((member) => !known.has(member))).toEqual([]);
    expect(members).toEqual(expect.arrayContaining([...named.optional]));
    for (const [member, method, path] of endpoints) {
      const address = metadata[member];
      const ask = async (how: string) => (await fetch(env.url + path, { method: how, redirect: "manual" })).status;
      if (address === undefined) {
        expect([await ask("GET"), await ask("POST")], `${path} is served and not named`).toEqual([404, 404]);
      } else {
        expect(address).toBe(env.url + path);
        expect([404, 405], `${member} is named`).not.toContain(await ask(method));
        expect(await ask(method === "GET" ? "POST" : "GET"), `${member} by the other method`).toBe(405);
      }
    }
  });

  test("every grant type that is named is taken at the token endpoint, and no other", async () => {
    expect(metadata.grant_types_supported).toEqual(named.grants);
    const taken = await Promise.all(
      grantTypes.map(async (grant_type) => {
        const { error } = await tokenAnswer(await postToken(env.url, { grant_type }));
        return error === "unsupported_grant_type" ? [] : [grant_type];
      }),
    );
    expect(taken.flat()).toEqual(named.grants);
  });

  test.each(["none", "client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt"])(
    "a client authenticates by %s where that is named, and nowhere else",
    async (method) => {
      expect(metadata.token_endpoint_auth_methods_supported).toEqual(named.methods);
      expect(metadata.revocation_endpoint_auth_methods_supported).toEqual(named.methods);
      if (named.methods.includes(method)) {
        const client = await clientOf(method);
        expect(client && (await authenticates(client, method)), `${method} is named`).toBe(true);
        return;
      }
      const client = (await clientOf(method)) ?? (await anyClient());
      expect(await authenticates(client, method), `${method} is not named`).toBe(false);
    },
  );

  test("a client is known by the URL of its metadata document where that is named, and nowhere else", async () => {
    expect(metadata.client_id_metadata_document_supported).toBe(named.documents ?? false);
    const client = published("none", "another");
    const before = documents.resolved.length;
    const answer = await fetch(authorizeUrl(env.url, client, pkce()), { redirect: "manual" });
    expect(answer.status).toBe(named.documents ? 200 : 400);
    expect(await authenticates(client, "none")).toBe(named.documents ?? false);
    expect(documents.resolved.length > before).toBe(named.documents ?? false);
  });

  test("an assertion may be signed by every algorithm that is named, and by no other", async () => {
    const client = await clientOf("private_key_jwt");
    const algorithms = ["RS256", "PS256", "ES256", "EdDSA", "RS512", "PS384"];
    const taken: string[] = [];
    for (const alg of client ? algorithms : []) {
      if (client && (await authenticates(client, "private_key_jwt", alg))) taken.push(alg);
    }
    expect(metadata.token_endpoint_auth_signing_alg_values_supported).toEqual(taken);
    expect(taken.length > 0).toBe(named.methods.includes("private_key_jwt"));
  });

  test("introspection names its own methods, and they are those that it takes", async () => {
    const methods = metadata.introspection_endpoint_auth_methods_supported;
    if (!named.optional.includes("introspection_endpoint")) return expect(methods).toBeUndefined();
    const taken: string[] = [];
    for (const method of ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]) {
      const [form, headers = {}] = await presented(
        { clientId: "server", clientSecret: secret, redirectUri: "" },
        method,
      );
      const body = new URLSearchParams({ token: "nonsense", ...form });
      const answer = await fetch(`${env.url}/introspect`, { method: "POST", body, headers });
      if (answer.status === 200) taken.push(method);
    }
    expect(methods).toEqual(taken);
  });

  const asks = async (params: Readonly<Record<string, string>>): Promise<boolean> => {
    const url = authorizeUrl(env.url, await anyClient(), pkce(), params);
    const answer = await fetch(url, { redirect: "manual", headers: { accept: "text/html" } });
    expect([200, 302]).toContain(answer.status);
    return answer.status === 200;
  };
  const askedWith = async (name: string, values: readonly string[]): Promise<string[]> => {
    const taken: string[] = [];
    for (const value of values) if (await asks({ [name]: value })) taken.push(value);
    return taken;
  };

  test.each([
    ["code_challenge_method", "code_challenge_methods_supported", ["S256", "plain"]],
    ["response_type", "response_types_supported", ["code", "token", "id_token", "code id_token", "none"]],
    ["response_mode", "response_modes_supported", ["query", "fragment", "form_post", "jwt"]],
  ] as const)("the authorization endpoint takes every %s that is named, and no other", async (name, member, values) => {
    expect(await askedWith(name, values)).toEqual(metadata[member]);
  });

  test("every scope that is named can be asked for, by the server's and by the resource's metadata", async () => {
    const scopes = metadata.scopes_supported;
    expect(scopes).toEqual([...Object.keys(env.settings.scopes ?? {}), "offline_access"]);
    expect(await askedWith("scope", scopes)).toEqual(scopes);
    expect(await asks({ scope: "mcp/other" })).toBe(false);
    const resource = await fetch(`${env.url}/.well-known/oauth-protected-resource/clock/mcp`);
    expect(await resource.json()).toMatchObject({
      resource: `${env.url}/clock/mcp`,
      authorization_servers: [metadata.issuer],
      scopes_supported: scopes.filter((scope) => scope !== "offline_access"),
      bearer_methods_supported: ["header"],
    });
  });

  test("the answer names the issuer, and its token verifies by jwks_uri", async () => {
    const client = await anyClient();
    const pair = pkce();
    const back = new URL(
      await signIn(authorizeUrl(env.url, client, pair), demoUser(env, "alice"), { walker: createWalker() }),
    );
    expect(metadata.authorization_response_iss_parameter_supported).toBe(true);
    expect(back.searchParams.get("iss")).toBe(metadata.issuer);
    const [form, headers] = await presented(client, client.method);
    const code = back.searchParams.get("code") ?? "";
    const answer = await postToken(
      env.url,
      { grant_type: "authorization_code", redirect_uri: redirectUri, code, code_verifier: pair.verifier, ...form },
      headers,
    );
    const { access_token } = await tokenAnswer(answer);
    const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
    const { payload } = await jwtVerify(access_token, keys, {
      issuer: metadata.issuer,
      audience: `${env.url}/clock/mcp`,
      typ: "at+jwt",
      currentDate: new Date(env.clock.now()),
    });
    expect(payload.client_id).toBe(client.clientId);
  });
});

/** The private key for a signature algorithm. */
function signingKey(alg: string): KeyObject {
  if (alg === "EdDSA") return pairs.OKP.privateKey;
  return alg.startsWith("ES") ? pairs.EC.privateKey : pairs.RSA.privateKey;
}
