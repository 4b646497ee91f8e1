import type { Clock } from "../runtime/index.ts";
import type { BearerRefusal, Principal } from "../verify/index.ts";
import { runWithPrincipal } from "./principal-context.ts";

/** For so long the head of an event stream waits for its first event, which may be a refusal, ms. */
const longestHold = 1_000;

/**
 * Answers a request for whoever makes it. What `requireGroup` or `requireScope` refused below becomes the answer, status
 * and challenge with it, also where an MCP SDK has made the error into the result of a tool. A refusal that was caught
 * and never told to the client changes nothing; one that comes after the first event of a stream stays a tool's error.
 */
export async function answerRefusable(
  method: string,
  principal: Principal<object>,
  work: () => Response | Promise<Response>,
  { clock }: { readonly clock: Clock },
): Promise<Response> {
  const refusals: BearerRefusal[] = [];
  const response = await runWithPrincipal(
    principal,
    async () => work(),
    (refusal) => refusals.push(refusal),
  );
  const told = (text: string): Response | undefined => {
    const refusal = refusals.find(({ message }) => text.includes(JSON.stringify(message).slice(1, -1)));
    return refusal && refusalAnswer(refusal, idIn(text));
  };
  if (!response.body) return response;
  const type = response.headers.get("content-type") ?? "";
  // Only a POST carries calls: a stream that a GET opened has nothing to refuse, and may be silent for long.
  if (/^text\/event-stream\b/i.test(type) && method === "POST") return firstEvent(response, response.body, told, clock);
  // A clone: what is handed on untouched stays as the handler made it.
  if (refusals.length === 0 || !/^application\/json\b/i.test(type)) return response;
  return told(await response.clone().text()) ?? response;
}

/** The answer to a refused request. */
export const refusalAnswer = (refusal: BearerRefusal, id?: string | number): Response =>
  new Response(refusal.body(id), { status: refusal.status, headers: refusal.headers() });

/** Looks at the first event of a stream, if it comes soon, before anything of it is sent. */
async function firstEvent(
  response: Response,
  body: ReadableStream<Uint8Array>,
  told: (text: string) => Response | undefined,
  clock: Clock,
): Promise<Response> {
  const reader = body.getReader();
  let reading: ReturnType<typeof reader.read> | undefined = reader.read();
  const over = new AbortController();
  const first = await Promise.race([reading.catch(() => undefined), clock.sleep(longestHold, over.signal)]);
  over.abort();
  const refused = first?.value && told(new TextDecoder().decode(first.value));
  if (refused) {
    await reader.cancel();
    return refused;
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await (reading ?? reader.read());
        reading = undefined;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { status: response.status, statusText: response.statusText, headers: response.headers });
}

/** The JSON-RPC id of an answer, plain or as an event. */
function idIn(text: string): string | number | undefined {
  const data = /^data: ?(.*)$/m.exec(text)?.[1] ?? text;
  try {
    const parsed: unknown = JSON.parse(data);
    if (typeof parsed !== "object" || parsed === null || !("id" in parsed)) return undefined;
    return typeof parsed.id === "string" || typeof parsed.id === "number" ? parsed.id : undefined;
  } catch {
    return undefined;
  }
}
