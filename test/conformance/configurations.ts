import { generateKeyPairSync, randomBytes } from "node:crypto";
import { secretHash } from "../../packages/core/src/clients/secret-hash.ts";
import type { TestEnvironment } from "../support/environment.ts";

export const redirectUri = "https://app.example/cb";
export const secret = randomBytes(32).toString("base64url");
export const pairs = {
  RSA: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  EC: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  OKP: generateKeyPairSync("ed25519"),
};
export const jwks = { keys: Object.values(pairs).map(({ publicKey }) => publicKey.export({ format: "jwk" })) };

type Settings = TestEnvironment["settings"];
const first = { name: "An app", redirectUris: [redirectUri] };
const byKey = { scopes: ["mcp/read"], jwks };
const resourceServer = { secretHashes: [secretHash(secret)], resources: ["/clock/mcp"] };

/** What a deployment has, and what of it must therefore stand in its metadata. */
export const configurations: readonly (readonly [
  name: string,
  change: (settings: Settings) => Settings,
  named: {
    readonly grants: readonly string[];
    readonly methods: readonly string[];
    readonly optional: readonly string[];
    readonly documents?: true;
  },
])[] = [
  [
    "everything on",
    (settings) => ({
      ...settings,
      clients: { public: first, secret: { ...first, secretHashes: [secretHash(secret)] }, keys: { ...first, jwks } },
      machines: { ...settings.machines, keymachine: byKey },
      resourceServers: { server: resourceServer },
    }),
    {
      grants: ["authorization_code", "refresh_token", "client_credentials"],
      methods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
      optional: ["registration_endpoint", "introspection_endpoint"],
      documents: true,
    },
  ],
  [
    "one public client and nothing else",
    (settings) => ({
      ...settings,
      clients: { public: first },
      machines: {},
      registration: { enabled: false },
      metadataDocuments: { enabled: false },
    }),
    { grants: ["authorization_code", "refresh_token"], methods: ["none"], optional: [] },
  ],
  [
    "one client with a secret, and a resource server",
    (settings) => ({
      ...settings,
      clients: { secret: { ...first, secretHashes: [secretHash(secret)] } },
      machines: {},
      registration: { enabled: false },
      metadataDocuments: { enabled: false },
      resourceServers: { server: resourceServer },
    }),
    {
      grants: ["authorization_code", "refresh_token"],
      methods: ["client_secret_basic", "client_secret_post"],
      optional: ["introspection_endpoint"],
    },
  ],
  [
    "clients and machines with keys only",
    (settings) => ({
      ...settings,
      clients: { keys: { ...first, jwks } },
      machines: { keymachine: byKey },
      registration: { enabled: false },
      metadataDocuments: { enabled: false },
    }),
    {
      grants: ["authorization_code", "refresh_token", "client_credentials"],
      methods: ["private_key_jwt"],
      optional: [],
    },
  ],
  [
    "metadata documents only",
    (settings) => ({ ...settings, machines: {}, registration: { enabled: false } }),
    {
      grants: ["authorization_code", "refresh_token"],
      methods: ["none", "private_key_jwt"],
      optional: [],
      documents: true,
    },
  ],
  [
    "registration only, nobody public by it, an issuer with a path",
    (settings) => ({
      ...settings,
      issuer: `${settings.baseUrl}/tenant`,
      machines: {},
      registration: { publicClientPatterns: [] },
      metadataDocuments: { enabled: false },
    }),
    {
      grants: ["authorization_code", "refresh_token"],
      methods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
      optional: ["registration_endpoint"],
    },
  ],
];
