import { createServer } from "node:http";

/** Path of the redirect URI. The port is another one at each sign-in (RFC 8252 §7.3). */
export const callbackPath = "/callback";

/** Waits on loopback for the browser to come back. */
export interface LoopbackListener {
  /** The redirect URI, with the port that was free. */
  readonly redirectUri: string;
  /** Answers nobody any more. */
  close(): void;
}

/** What the browser is told. */
export type CallbackVerdict = "done" | "failed" | "foreign";

const texts: Readonly<Record<CallbackVerdict, readonly [status: number, title: string, text: string]>> = {
  done: [200, "Signed in", "You may close this page and go back to the program."],
  failed: [400, "Not signed in", "The program says why. You may close this page."],
  foreign: [400, "Not expected", "This does not belong to a sign-in that is under way. You may close this page."],
};

/** The page holds no script and nothing of the request. */
const page = (title: string, text: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
  `<title>${title}</title><main><h1>${title}</h1><p>${text}</p></main></html>`;

/**
 * Listens on 127.0.0.1, on a port that the operating system gives, for `GET /callback`.
 * @param judge is asked for each answer that arrives; what it says is shown
 */
export function listenOnLoopback(judge: (params: URLSearchParams) => CallbackVerdict): Promise<LoopbackListener> {
  const server = createServer((request, response) => {
    const url = URL.parse(request.url ?? "", "http://127.0.0.1");
    const found = url?.pathname === callbackPath && request.method === "GET";
    const [status, title, text] = found
      ? texts[judge(url.searchParams)]
      : ([404, "Nothing here", "You may close this page."] as const);
    response.writeHead(status, {
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "no-store",
      "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
      Connection: "close",
    });
    response.end(page(title, text));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") return reject(new Error("the listener has no port"));
      resolve({
        redirectUri: `http://127.0.0.1:${address.port}${callbackPath}`,
        close() {
          server.close();
          server.closeIdleConnections();
        },
      });
    });
  });
}
