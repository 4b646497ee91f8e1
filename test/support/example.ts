import { root } from "../docs/markdown.ts";
import { signIn } from "./browser-walk.ts";
import { freePort } from "./free-port.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "./oauth-client.ts";
import { spawnSource } from "./source-condition.ts";

/** The users whom `examples/start.ts` makes. */
export const exampleUsers = {
  writer: { username: "alice", password: "Password-1" },
  reader: { username: "bob", password: "Password-1" },
  stranger: { username: "carol", password: "Password-1" },
};

export type ExampleProcess = ReturnType<typeof spawnSource> & { readonly url: string };

/** What this process's environment has for settings is not the example's, such as the programs that tests run. */
const withoutSettings = (): Record<string, undefined> =>
  Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => /^(?:SALLYPORT|COGNITO)_/.test(name))
      .map((name) => [name, undefined]),
  );

/** Starts an example as a user would, and waits until it says that it is ready. */
export async function startExample(name: string, env: Readonly<Record<string, string>> = {}): Promise<ExampleProcess> {
  const port = await freePort();
  const child = spawnSource(`${root}examples/start.ts`, [name], {
    env: { ...withoutSettings(), PORT: String(port), ...env },
  });
  const line = await child.waitForLine((text) => text.startsWith("ready "));
  return Object.assign(child, { url: line.replace("ready ", "") });
}

/** A whole sign-in, from registration to the token; rejects where the user is sent back without a code. */
export async function accessTokenAt(
  url: string,
  user: { readonly username: string; readonly password: string },
  { resource = `${url}/mcp`, ...more }: { readonly resource?: string; readonly scope?: string } = {},
): Promise<string> {
  const client = await register(url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(url, client, pair, { resource, ...more }), user));
  const code = location.searchParams.get("code");
  if (code === null) throw new Error(`sent back with ${location.searchParams.get("error")}`);
  const { access_token: token } = await tokenAnswer(await redeem(url, client, code, pair));
  return token;
}
