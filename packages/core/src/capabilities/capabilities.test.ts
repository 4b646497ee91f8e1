import { describe, expect, test } from "vitest";
import { type CoreConfigInput, parseCoreConfig } from "../config/index.ts";
import { capabilitiesOf } from "./capabilities.ts";

const closed: CoreConfigInput = {
  baseUrl: "https://mcp.example.com",
  cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
  scopes: { read: {} },
  registration: { enabled: false },
  metadataDocuments: { enabled: false },
};
const of = (more: Partial<CoreConfigInput>) => capabilitiesOf(parseCoreConfig({ ...closed, ...more }));

const client = { name: "c", redirectUris: ["https://c.example/cb"] };
const secretHashes = [`sha256:${"a".repeat(43)}`];
const jwksUri = "https://c.example/jwks";
const secret = ["client_secret_basic", "client_secret_post"];
const machine = { scopes: ["read"] };

describe("a method of client authentication is listed only where somebody may use it", () => {
  test.each<[string, Partial<CoreConfigInput>, readonly string[]]>([
    ["nobody", {}, []],
    ["a public client", { clients: { c: client } }, ["none"]],
    ["a client with a secret", { clients: { c: { ...client, secretHashes } } }, secret],
    ["a client with keys", { clients: { c: { ...client, jwksUri } } }, ["private_key_jwt"]],
    ["a machine at Cognito", { machines: { m: machine } }, secret],
    ["a machine with keys", { machines: { m: { ...machine, jwksUri } } }, ["private_key_jwt"]],
    ["both", { machines: { m: machine, n: { ...machine, jwksUri } } }, [...secret, "private_key_jwt"]],
    ["metadata documents", { metadataDocuments: { enabled: true } }, ["none", "private_key_jwt"]],
    ["registration", { registration: { enabled: true } }, ["none", ...secret, "private_key_jwt"]],
    [
      "registration of confidential clients",
      { registration: { enabled: true, publicClientPatterns: [] } },
      [...secret, "private_key_jwt"],
    ],
  ])("%s", (_, more, methods) => {
    const capabilities = of(more);
    expect(capabilities.tokenEndpointAuthMethods).toEqual(methods);
    expect(capabilities.assertionAlgorithms).toEqual(
      methods.includes("private_key_jwt") ? ["RS256", "PS256", "ES256", "EdDSA"] : [],
    );
  });
});

test("client_credentials is there for machines of either kind, and never for a client", () => {
  expect(of({}).grantTypes).toEqual(["authorization_code", "refresh_token"]);
  for (const m of [machine, { ...machine, jwksUri }]) {
    expect(of({ machines: { m } }).grantTypes).toEqual(["authorization_code", "refresh_token", "client_credentials"]);
    expect(of({ machines: { m } }).clientGrantTypes).toEqual(["authorization_code", "refresh_token"]);
  }
});
