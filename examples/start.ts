// Starts an example with a Cognito pool of its own on this machine, or with yours: `npm run example express`.
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";

const [name = ""] = process.argv.slice(2);
const known = readdirSync(import.meta.dirname, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
if (!known.includes(name)) {
  console.error(`There is no example ${JSON.stringify(name)}. Say one of: ${known.join(", ")}.`);
  process.exit(1);
}

const { env } = process;
env.PORT ??= "3000";
env.SALLYPORT_BASE_URL ??= `http://localhost:${env.PORT}`;
env.SALLYPORT_SECRET ??= randomBytes(32).toString("base64url");
env.SALLYPORT_STORE ??= "memory:";

if (env.COGNITO_USER_POOL_ID === undefined) {
  const users = [
    { username: "alice", password: "Password-1", groups: ["writers"] },
    { username: "bob", password: "Password-1", groups: ["readers"] },
    { username: "carol", password: "Password-1" },
  ];
  const callbackUrls = [`${env.SALLYPORT_BASE_URL}/auth/callback`];
  const cognito = await startCognitoEmulator({
    port: 0,
    pool: {
      id: "eu-central-1_Examples1",
      groups: [{ name: "readers" }, { name: "writers" }],
      users,
      clients: [{ id: "examples", scopes: ["openid", "email", "profile"], callbackUrls }],
    },
  });
  env.COGNITO_USER_POOL_ID = "eu-central-1_Examples1";
  env.COGNITO_CLIENT_ID = "examples";
  env.COGNITO_CLIENT_SECRET = "none";
  env.COGNITO_DOMAIN = cognito.url;
  env.SALLYPORT_COGNITO_ENDPOINT = cognito.url;
  console.error("A local Cognito: sign in as alice, bob (who may only read) or carol (who may nothing): Password-1");
}

await import(`./${name}/app.ts`);
