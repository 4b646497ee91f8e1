import { createWalker, type Page, type Walker } from "../support/browser-walk.ts";
import { demoUser, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, type PkcePair, pkce, redeem, register, type TestClient } from "../support/oauth-client.ts";

/** A hosted client: its redirect is https, so that its approvals may be remembered. */
export async function hostedClient(
  issuer: string,
  redirectUri = "https://app.example/callback",
): Promise<TestClient & { readonly name: string }> {
  clients += 1;
  const name = `App ${clients}`;
  return { ...(await register(issuer, { redirect_uris: [redirectUri], client_name: name })), redirectUri, name };
}

let clients = 0;

/** One sign-in, as far as it came. */
export interface Attempt {
  readonly walker: Walker;
  readonly pair: PkcePair;
  /** Where each step ended. */
  readonly pages: readonly Page[];
  /** Whether the consent page was shown before Cognito. */
  readonly asked: boolean;
  /** Whether Cognito asked for a password. */
  readonly signedIn: boolean;
  /** The consent page that was shown after Cognito, where the walk ended. */
  readonly askedAfter: Page | undefined;
  /** What came back to the client. */
  readonly answer: URLSearchParams | undefined;
}

export interface AttemptOptions {
  readonly walker?: Walker;
  readonly client: TestClient;
  readonly user?: "alice" | "bob" | "carol";
  readonly params?: Readonly<Record<string, string | undefined>>;
  /** Fields of the answer to the consent page. */
  readonly fields?: Readonly<Record<string, string>>;
}

const isConsent = (page: Page): boolean => page.body.includes('name="decision"');

/** Walks one sign-in: approves where it is asked before Cognito, and gives the password where Cognito asks. */
export async function attempt(env: TestEnvironment, options: AttemptOptions): Promise<Attempt> {
  const { walker = createWalker(), client, user = "alice", params, fields = {} } = options;
  const pair = pkce();
  const atClient = (location: string): boolean => location.startsWith(`${client.redirectUri}?`);
  const pages: Page[] = [];
  const step = (page: Page): Page => {
    pages.push(page);
    return page;
  };
  let page = step(await walker.get(authorizeUrl(env.url, client, pair, params), atClient));
  const asked = isConsent(page);
  if (asked) page = step(await walker.submit(page, { decision: "approve", ...fields }, atClient));
  const signedIn = page.body.includes('name="password"');
  if (signedIn) {
    const { username, password } = demoUser(env, user);
    page = step(await walker.submit(page, { username, password }, atClient));
  }
  const answer = page.location === undefined ? undefined : new URL(page.location).searchParams;
  return { walker, pair, pages, asked, signedIn, askedAfter: isConsent(page) && signedIn ? page : undefined, answer };
}

/** The tokens of a finished attempt. */
export const tokensOf = ({ pair, answer }: Attempt, issuer: string, client: TestClient): Promise<Response> =>
  redeem(issuer, client, answer?.get("code") ?? "", pair);
