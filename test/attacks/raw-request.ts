import { type IncomingHttpHeaders, request } from "node:http";

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * A request as no `fetch` would send it: the target and the headers go out as they are, `Host` included.
 * @param options.target the request target as it stands on the wire
 * @param options.body text, or chunks that are sent until the server answers or hangs up
 */
export function rawRequest(
  origin: string,
  options: {
    readonly target: string;
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Iterable<string>;
  },
): Promise<RawAnswer> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    let answered = false;
    const sent = request(
      { hostname, port, path: options.target, method: options.method ?? "GET", agent: false },
      (response) => {
        answered = true;
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        const done = (): void => {
          sent.destroy();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        };
        response.on("end", done);
        // The server may hang up on an endless body right after its answer.
        response.on("error", done);
      },
    );
    sent.on("error", (error) => {
      if (!answered) reject(error);
    });
    for (const [name, value] of Object.entries(options.headers ?? {})) sent.setHeader(name, value);
    const { body } = options;
    if (body === undefined || typeof body === "string") {
      sent.end(body);
      return;
    }
    const chunks = body[Symbol.iterator]();
    const pump = (): void => {
      while (!answered && !sent.destroyed) {
        const next = chunks.next();
        if (next.done) return void sent.end();
        if (!sent.write(next.value)) return void sent.once("drain", pump);
      }
    };
    pump();
  });
}
