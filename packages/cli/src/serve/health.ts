import type { IncomingMessage, ServerResponse } from "node:http";

/** The endpoints by which a load balancer knows what to do with this process. */
export interface Health {
  /** Answers if the request is for one of them, and says whether it did. */
  handle(req: IncomingMessage, res: ServerResponse): boolean;
  /** From now on `/readyz` says that this process is going. */
  stop(): void;
}

/**
 * `/healthz`: 200 as long as the process answers at all. `/readyz`: 200 `ready`, or 503 with what is wrong: send requests
 * elsewhere.
 * @param readiness what keeps the process from serving, in words for anybody; never rejects, and may be asked often
 */
export function createHealth(readiness: () => Promise<readonly string[]>): Health {
  let stopping = false;
  const readyz = async (): Promise<readonly string[]> => (stopping ? ["stopping"] : readiness());
  return {
    handle(req, res) {
      const [path] = (req.url ?? "").split("?", 1);
      if (path !== "/healthz" && path !== "/readyz") return false;
      if (req.method !== "GET" && req.method !== "HEAD") {
        res.setHeader("Allow", "GET, HEAD");
        answer(res, 405, "use GET");
      } else if (path === "/healthz") answer(res, 200, "ok");
      else {
        void readyz().then((wrong) =>
          answer(res, wrong.length === 0 ? 200 : 503, wrong.length === 0 ? "ready" : wrong.join(", ")),
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
