import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, getCACertificates, type Server, setDefaultCACertificates, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { systemNetwork } from "./index.ts";

const pem = (name: string): string =>
  readFileSync(new URL(`../../../../test/fixtures/tls/${name}`, import.meta.url), "utf8");

let server: Server;
let port: number;
const trusted = getCACertificates("default");
beforeAll(async () => {
  server = createServer({ key: pem("server.key.pem"), cert: pem("server.crt.pem") }, (socket) => {
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  port = typeof address === "object" && address ? address.port : 0;
});
afterAll(() => server.close());
afterEach(() => {
  vi.unstubAllEnvs();
  setDefaultCACertificates(trusted);
});

const connect = (servername: string, signal = new AbortController().signal) =>
  systemNetwork.connect({ address: "127.0.0.1", port, servername, signal });

test("a name has all of its addresses", async () => {
  const found = await systemNetwork.resolve("localhost");
  expect(found.length).toBeGreaterThan(0);
  for (const { address, family } of found)
    expect([address, family]).toEqual(family === 4 ? ["127.0.0.1", 4] : ["::1", 6]);
});

test("a certificate for the name by a known authority", async () => {
  setDefaultCACertificates([...trusted, pem("authority.crt.pem")]);
  const arrived = once(server, "secureConnection");
  const socket = await connect("client.example");
  const [theirs]: TLSSocket[] = await arrived;
  expect(theirs?.servername).toBe("client.example");
  socket.destroy();
});

test("not one for another name", async () => {
  setDefaultCACertificates([...trusted, pem("authority.crt.pem")]);
  await expect(connect("other.example")).rejects.toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});

test("not one by an unknown authority, whatever the environment allows", async () => {
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  await expect(connect("client.example")).rejects.toMatchObject({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
});

test("an aborted signal ends the attempt, and later the connection", async () => {
  setDefaultCACertificates([...trusted, pem("authority.crt.pem")]);
  const early = new AbortController();
  const attempt = connect("client.example", early.signal);
  early.abort();
  await expect(attempt).rejects.toThrow();

  const late = new AbortController();
  const socket = await connect("client.example", late.signal);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  late.abort();
  await closed;
  expect(socket.destroyed).toBe(true);
});
