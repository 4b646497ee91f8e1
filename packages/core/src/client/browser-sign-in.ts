import { randomId } from "../crypto/index.ts";
import type { Clock, Random } from "../runtime/index.ts";
import { type CallbackAnswer, readCallback } from "./callback-answer.ts";
import { type CallbackVerdict, listenOnLoopback } from "./loopback-listener.ts";
import { SignInError } from "./sign-in-error.ts";

/** How the user gets to the sign-in page and back. */
export interface Browser {
  /** Opens the page, or says where it is. A rejection ends the sign-in. */
  open(url: URL): void | Promise<void>;
  /**
   * For a browser on another machine, which cannot reach this one's loopback: the address of the page it ended on, as the
   * user copies it. Asked beside the listener; the first of the two that brings the answer counts.
   */
  askRedirect?(signal: AbortSignal): Promise<string>;
}

/**
 * Sends the user through a browser and waits for the code.
 * @param options.authorizationUrl makes the URL for this redirect URI and this `state`
 * @param options.timeout milliseconds until the user is given up
 * @throws SignInError where the sign-in ends without a code
 */
export async function signInWithBrowser(options: {
  readonly browser: Browser;
  readonly authorizationUrl: (redirectUri: string, state: string) => Promise<URL>;
  readonly issuer: string;
  readonly issRequired: boolean;
  readonly timeout: number;
  readonly clock: Clock;
  readonly random: Random;
}): Promise<{ readonly code: string; readonly redirectUri: string }> {
  const { browser, issuer, issRequired, clock, random } = options;
  const state = randomId(random);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // The sign-in may fail before anybody waits for the answer.
  promise.catch(() => {});
  const over = new AbortController();
  const take = (answer: CallbackAnswer): CallbackVerdict => {
    if (answer.kind === "foreign") return "foreign";
    if (answer.kind === "failed") {
      reject(answer.error);
      return "failed";
    }
    resolve(answer.code);
    return "done";
  };
  const judge = (params: URLSearchParams) => take(readCallback(params, { state, issuer, issRequired }));

  const listener = await listenOnLoopback(judge);
  try {
    void clock.sleep(options.timeout, over.signal).then(() => {
      if (over.signal.aborted) return;
      reject(new SignInError("timeout", "nobody signed in in time; start again"));
    });
    await browser.open(await options.authorizationUrl(listener.redirectUri, state));
    const pasted = browser.askRedirect?.(over.signal).then((address) => {
      const url = URL.parse(address.trim());
      if (url && judge(url.searchParams) !== "foreign") return;
      throw new SignInError("invalid_response", "that is not the address of the page that this sign-in ended on");
    });
    pasted?.catch(reject);
    return { code: await promise, redirectUri: listener.redirectUri };
  } finally {
    over.abort();
    listener.close();
  }
}
