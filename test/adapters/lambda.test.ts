import { PassThrough, type Writable } from "node:stream";
import type { APIGatewayProxyEventV2, APIGatewayProxyHandlerV2 } from "aws-lambda";
import type { Sallyport } from "sallyport";
import { toHandler, toStreamingHandler } from "sallyport/lambda";
import { afterEach, expect, expectTypeOf, test, vi } from "vitest";
import { startAuth } from "../support/adapter-app.ts";

afterEach(() => vi.unstubAllGlobals());

const event = (
  method: string,
  rawPath: string,
  more: Partial<APIGatewayProxyEventV2> = {},
  stage = "$default",
): APIGatewayProxyEventV2 => ({
  version: "2.0",
  routeKey: "$default",
  rawPath,
  rawQueryString: "",
  headers: { host: "abc.execute-api.eu-central-1.amazonaws.com", "content-type": "application/json" },
  isBase64Encoded: false,
  requestContext: {
    accountId: "1",
    apiId: "abc",
    domainName: "abc.execute-api.eu-central-1.amazonaws.com",
    domainPrefix: "abc",
    http: { method, path: rawPath, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "test" },
    requestId: "1",
    routeKey: "$default",
    stage,
    time: "",
    timeEpoch: 0,
  },
  ...more,
});

const notes = (auth: Sallyport) => auth.protect((_request, who) => Response.json({ you: who.username }));

test("an HTTP API: endpoints, documents, challenge, cookies, bodies in Base64", async () => {
  const { auth, url } = await startAuth({ change: { limits: { register: 2 } } });
  const handler = toHandler(auth, async (request) => {
    if (new URL(request.url).pathname === "/mcp") return notes(auth)(request);
    const headers = new Headers({ "content-type": "image/png", "x-cookie": request.headers.get("cookie") ?? "" });
    for (const cookie of ["a=1", "b=2"]) headers.append("set-cookie", cookie);
    return new Response(await request.bytes(), { status: 202, headers });
  });
  expectTypeOf(handler).toExtend<APIGatewayProxyHandlerV2>();
  const document = await handler(event("GET", "/.well-known/oauth-authorization-server"));
  expect(document).toMatchObject({ statusCode: 200, isBase64Encoded: false });
  expect(JSON.parse(document.body)).toMatchObject({ issuer: url });
  expect(await handler(event("POST", "/mcp", { body: "{}" }))).toMatchObject({
    statusCode: 401,
    headers: { "www-authenticate": expect.stringContaining(`${url}/.well-known/oauth-protected-resource/mcp`) },
  });
  const registration = JSON.stringify({ redirect_uris: ["http://127.0.0.1/callback"] });
  const base64 = { body: Buffer.from(registration).toString("base64"), isBase64Encoded: true };
  expect((await handler(event("POST", "/register", { body: registration }))).statusCode).toBe(201);
  expect((await handler(event("POST", "/register", base64))).statusCode).toBe(201);
  // The address that the limit counts is the event's.
  expect((await handler(event("POST", "/register", base64))).statusCode).toBe(429);

  const bytes = Buffer.from([0, 255, 10]).toString("base64");
  const own = event("POST", "/own", { body: bytes, isBase64Encoded: true, cookies: ["x=1", "y=2"] });
  expect(await handler(own)).toEqual({
    statusCode: 202,
    headers: { "content-type": "image/png", "x-cookie": "x=1; y=2" },
    cookies: ["a=1", "b=2"],
    body: bytes,
    isBase64Encoded: true,
  });
  await expect(handler({ httpMethod: "GET", path: "/" })).rejects.toThrow('payloadFormatVersion "2.0"');
  const failing = toHandler(auth, () => Promise.reject(new Error("of the app")));
  await expect(failing(event("GET", "/own"))).rejects.toThrow("of the app");
});

test("the name of a stage counts only where it is in the public URL", async () => {
  const seen: string[] = [];
  const app = (request: Request): Response => {
    seen.push(new URL(request.url).pathname);
    return new Response();
  };
  const { auth } = await startAuth();
  const behindDomain = toHandler(auth, app);
  await behindDomain(event("GET", "/prod/own", {}, "prod"));
  expect((await behindDomain(event("GET", "/prod/.well-known/jwks.json", {}, "prod"))).statusCode).toBe(200);
  const { auth: withStage } = await startAuth({ path: "/prod" });
  const atStage = toHandler(withStage, app);
  await atStage(event("GET", "/prod/own", {}, "prod"));
  expect((await atStage(event("GET", "/prod/authorize", {}, "prod"))).statusCode).toBe(400);
  expect(seen).toEqual(["/own", "/prod/own"]);
});

test("a function URL streams each part as it comes, and knows when the client has gone", async () => {
  const heads: unknown[] = [];
  vi.stubGlobal("awslambda", {
    streamifyResponse: (handler: unknown) => handler,
    HttpResponseStream: {
      from: (stream: Writable, head: unknown) => {
        heads.push(head);
        return stream;
      },
    },
  });
  const { auth } = await startAuth();
  let send: (text: string) => void = () => {};
  let left: AbortSignal | undefined;
  const handler = toStreamingHandler(auth, ({ signal, method }) => {
    left = signal;
    if (method === "DELETE") return new Response(null, { status: 204 });
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        send = (text) => controller.enqueue(new TextEncoder().encode(text));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const stream = new PassThrough();
  const over = handler(event("GET", "/events"), stream);
  await vi.waitFor(() => expect(heads).toHaveLength(1));
  const parts = stream[Symbol.asyncIterator]();
  for (const text of ["data: 1\n\n", "data: 2\n\n"]) {
    send(text);
    expect(String((await parts.next()).value)).toBe(text);
  }
  expect(left?.aborted).toBe(false);
  stream.destroy();
  await over;
  expect(left?.aborted).toBe(true);

  await handler(event("DELETE", "/events"), new PassThrough().resume());
  expect(heads).toEqual([
    { statusCode: 200, headers: { "content-type": "text/event-stream" }, cookies: [] },
    { statusCode: 204, headers: {}, cookies: [] },
  ]);
});

test("a streaming handler says where it can run", async () => {
  const { auth } = await startAuth();
  expect(() => toStreamingHandler(auth, () => new Response())).toThrow("awslambda.streamifyResponse");
});
