// Preloaded (`--import`) into the conformance suite, which knows no tokens of its own: adds a bearer token to every
// request to one origin that carries no Authorization header. Plain JavaScript, so that it loads on any Node.
//
// SALLYPORT_TEST_ORIGIN  the origin, e.g. http://127.0.0.1:8000; no other host ever sees the token
// SALLYPORT_TEST_TOKEN   the token
import diagnostics from "node:diagnostics_channel";
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";

const { SALLYPORT_TEST_ORIGIN: origin, SALLYPORT_TEST_TOKEN: token } = process.env;
if (!origin || !token) throw new Error("inject-token.mjs needs SALLYPORT_TEST_ORIGIN and SALLYPORT_TEST_TOKEN");
const authorization = `Bearer ${token}`;

// The global fetch and the undici package alike; header names and values alternate.
diagnostics.subscribe("undici:request:create", ({ request }) => {
  if (String(request.origin) !== origin) return;
  const present = request.headers.some(
    (part, index) => index % 2 === 0 && String(part).toLowerCase() === "authorization",
  );
  if (!present) request.addHeader("authorization", authorization);
});

const { request: send } = http;
http.request = (...args) => {
  const request = send(...args);
  if (originOf(args) === origin && !request.headersSent && !request.hasHeader("authorization")) {
    request.setHeader("authorization", authorization);
  }
  return request;
};
// The original would send the headers before they could be added to.
http.get = (...args) => http.request(...args).end();
syncBuiltinESMExports();

/** The origin that `http.request(url, options)` or `http.request(options)` connects to. */
function originOf([first, second]) {
  const isUrl = typeof first === "string" || first instanceof URL;
  const url = isUrl ? new URL(first) : new URL("http://localhost");
  const options = (isUrl ? second : first) ?? {};
  if (typeof options === "object") {
    const hostname = options.hostname ?? options.host;
    if (hostname) url.hostname = hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname;
    if (options.port) url.port = String(options.port);
  }
  return url.origin;
}
