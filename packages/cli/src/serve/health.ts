import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock, Store } from "sallyport";

/** How long an answer about the store holds, in milliseconds: anybody may ask, and must not so wear the store out. */
const answerHolds = 1000;

/** How long the store may take, in milliseconds. */
const storePatience = 2000;

/** The endpoints by which a load balancer knows what to do with this process. */
export interface Health {
  /** Answers if the request is for one of them, and says whether it did. */
  handle(req: IncomingMessage, res: ServerResponse): boolean;
  /** From now on `/readyz` says that this process is going. */
  stop(): void;
}

/**
 * `/healthz`: 200 as long as the process answers at all. `/readyz`: 200 `ready`, or 503 with `stopping` or
 * `store unavailable`: send requests elsewhere.
 */
export function createHealth(deps: { readonly store: Store; readonly clock: Clock }): Health {
  const { store, clock } = deps;
  let stopping = false;
  let known: { readonly at: number; readonly answers: Promise<boolean> } | undefined;

  const storeAnswers = (): Promise<boolean> => {
    const now = clock.monotonic();
    if (known === undefined || now - known.at >= answerHolds) {
      const late = new AbortController();
      // A key that nobody writes: only whether there is an answer counts.
      const asked = store.get("health").then(
        () => true,
        () => false,
      );
      const answers = Promise.race([asked, clock.sleep(storePatience, late.signal).then(() => false)]);
      known = { at: now, answers: answers.finally(() => late.abort()) };
    }
    return known.answers;
  };

  return {
    handle(req, res) {
      const [path] = (req.url ?? "").split("?", 1);
      if (path !== "/healthz" && path !== "/readyz") return false;
      if (req.method !== "GET" && req.method !== "HEAD") {
        res.setHeader("Allow", "GET, HEAD");
        answer(res, 405, "use GET");
      } else if (path === "/healthz") answer(res, 200, "ok");
      else if (stopping) answer(res, 503, "stopping");
      else {
        void storeAnswers().then((answers) =>
          answer(res, answers ? 200 : 503, answers ? "ready" : "store unavailable"),
        );
      }
      return true;
    },
    stop() {
      stopping = true;
    },
  };
}

function answer(res: ServerResponse, status: number, text: string): void {
  res
    .writeHead(status, {
      "Content-Type": "text/plain",
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-store",
    })
    .end(`${text}\n`);
}
