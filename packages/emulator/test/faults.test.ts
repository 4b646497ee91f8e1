import { connect } from "node:net";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { CognitoEmulator } from "../src/index.ts";
import { claims, get, header, refresh, secret, signIn, startEmulator, tokenRequest } from "./support.ts";

let emulator: CognitoEmulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterEach(() => emulator.faults.clear());
afterAll(() => emulator.close());

const machine = { grant_type: "client_credentials", client_id: "machine", client_secret: secret };
const ask = () =>
  fetch(emulator.tokenUrl, { method: "POST", body: new URLSearchParams(machine) }).then(
    (response) => response.status,
    () => "dropped",
  );

describe("faults", () => {
  test("a status, a body and headers, as many times as said", async () => {
    emulator.faults.set({
      path: "/oauth2/token",
      status: 503,
      body: { error: "server_error" },
      headers: { "retry-after": "7" },
      times: 2,
    });
    const response = await fetch(emulator.tokenUrl, { method: "POST" });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "7"]);
    expect(await response.json()).toEqual({ error: "server_error" });
    expect([await ask(), await ask()]).toEqual([503, 200]);
  });

  test("a body of text is sent as it is", async () => {
    emulator.faults.set({ status: 502, body: "<h1>Bad gateway</h1>" });
    expect(await (await get(emulator.jwksUri)).text()).toBe("<h1>Bad gateway</h1>");
  });

  test("only the path, method and grant type that were named", async () => {
    emulator.faults.set({ path: "/oauth2/token", status: 500, grantType: "refresh_token" });
    emulator.faults.set({ path: "/oauth2/userInfo", method: "post", status: 500 });
    expect(await ask()).toBe(200);
    expect((await get(emulator.userInfoUrl)).status).toBe(400);
    const tokens = fetch(emulator.tokenUrl, {
      method: "POST",
      body: new URLSearchParams({ grant_type: "refresh_token" }),
    });
    expect((await tokens).status).toBe(500);
  });

  test("of two that fit the later counts, the same target replaces, and clear takes all away", async () => {
    emulator.faults.set({ status: 500 });
    emulator.faults.set({ path: "/oauth2/token", status: 501 });
    emulator.faults.set({ path: "/oauth2/token", status: 502, times: 1 });
    expect([await ask(), await ask()]).toEqual([502, 500]);
    emulator.faults.clear();
    expect(await ask()).toBe(200);
  });

  test("throttling, with a status of one's choice", async () => {
    emulator.faults.throttle({ path: "/oauth2/token", times: 1 });
    expect(await ask()).toBe(429);
    emulator.faults.throttle({ status: 400, body: { error: "slow_down" } });
    expect(await ask()).toBe(400);
  });

  test("a dropped connection", async () => {
    emulator.faults.set({ path: "/oauth2/token", dropConnection: true, times: 1 });
    expect([await ask(), await ask()]).toEqual(["dropped", 200]);
  });

  test("an answer that is lost after the request had its effect", async () => {
    const { refresh_token: token } = await signIn(emulator, { client_id: "strict" });
    emulator.faults.set({ path: "/oauth2/token", dropConnection: true, when: "after", times: 1 });
    await expect(refresh(emulator, token, "strict")).rejects.toThrow();
    expect((await refresh(emulator, token, "strict")).error).toBe("invalid_grant");
  });

  test("an answer that is lost before the request had any effect", async () => {
    const { refresh_token: token } = await signIn(emulator, { client_id: "strict" });
    emulator.faults.set({ path: "/oauth2/token", dropConnection: true, times: 1 });
    await expect(refresh(emulator, token, "strict")).rejects.toThrow();
    expect((await refresh(emulator, token, "strict")).status).toBe(200);
  });

  test("latency slows a request down and changes nothing else", async () => {
    emulator.faults.set({ path: "/oauth2/token", latencyMs: 60, times: 1 });
    const began = performance.now();
    expect(await ask()).toBe(200);
    expect(performance.now() - began).toBeGreaterThan(50);
  });

  const wrong: [string, () => void][] = [
    ["negative latency", () => emulator.faults.set({ latencyMs: -1 })],
    ["impossible status", () => emulator.faults.set({ status: 42 })],
    ["body without status", () => emulator.faults.set({ body: "x" })],
    ["status and dropConnection", () => emulator.faults.set({ status: 500, dropConnection: true })],
    ["no time at all", () => emulator.faults.set({ status: 500, times: 0 })],
    ["clock offset that is no number", () => emulator.faults.setClockOffset(Number.NaN)],
  ];
  test.each(wrong)("%s is refused", (_name, set) => {
    expect(set).toThrow(/cannot be set|must be/);
  });

  test("the clock can be moved", async () => {
    emulator.faults.setClockOffset(-7_200_000);
    const past = claims((await tokenRequest(emulator, machine)).access_token);
    expect(Number(past.exp)).toBeLessThan(Date.now() / 1000);
    emulator.faults.clear();
    expect(Number(claims((await tokenRequest(emulator, machine)).access_token).exp)).toBeGreaterThan(Date.now() / 1000);
  });
});

describe("key rotation", () => {
  const verify = (token: string) => jwtVerify(token, createRemoteJWKSet(new URL(emulator.jwksUri)));

  test("new keys sign, the ones before verify for one more rotation", async () => {
    const before = (await tokenRequest(emulator, machine)).access_token;
    await emulator.pool.rotateKeys();
    const after = (await tokenRequest(emulator, machine)).access_token;
    expect(header(after)).not.toEqual(header(before));
    await verify(before);
    await verify(after);
    await emulator.pool.rotateKeys();
    await expect(verify(before)).rejects.toThrow();
    await verify(after);
  });

  test("dropPrevious ends them at once", async () => {
    const { access_token: before } = await signIn(emulator);
    await emulator.pool.rotateKeys({ dropPrevious: true });
    const { keys } = (await (await get(emulator.jwksUri)).json()) as { keys: unknown[] };
    expect(keys).toHaveLength(2);
    expect((await get(emulator.userInfoUrl, { authorization: `Bearer ${before}` })).status).toBe(401);
  });
});

describe("the request log", () => {
  test("says what was asked and answered, and nothing secret", async () => {
    const from = emulator.requests.length;
    await ask();
    emulator.faults.set({ path: "/oauth2/token", dropConnection: true });
    await ask();
    await get(`${emulator.userInfoUrl}?access_token=secret`);
    expect(emulator.requests.slice(from)).toEqual([
      { path: "/oauth2/token", method: "POST", status: 200, grantType: "client_credentials" },
      { path: "/oauth2/token", method: "POST", status: 0, grantType: "client_credentials" },
      { path: "/oauth2/userInfo", method: "GET", status: 400 },
    ]);
  });
});

test("answers are dated by the emulator's own clock, faults among them", async () => {
  const time = async () => Date.parse((await get(emulator.jwksUri)).headers.get("date") ?? "");
  expect(Math.abs((await time()) - Date.now())).toBeLessThan(3_000);
  emulator.faults.setClockOffset(-7_200_000);
  emulator.faults.set({ status: 503, times: 1 });
  for (const _ of ["fault", "document"]) expect(Math.abs((await time()) + 7_200_000 - Date.now())).toBeLessThan(3_000);
});

describe("closing", () => {
  test("does not wait for open connections or slow requests, and can be done twice", async () => {
    const own = await startEmulator();
    own.faults.set({ latencyMs: 600_000 });
    const slow = get(own.jwksUri).then(
      () => "answered",
      () => "closed",
    );
    const idle = connect(own.port, "127.0.0.1");
    await new Promise((resolve) => idle.once("connect", resolve));
    const idleClosed = new Promise((resolve) => idle.once("close", resolve));
    await Promise.all([own.close(), own.close()]);
    expect(await slow).toBe("closed");
    await idleClosed;
  });
});

test("nothing secret reaches the logger", async () => {
  const lines: string[] = [];
  const log = (message: string, fields: object = {}) => void lines.push(message + JSON.stringify(fields));
  const own = await startEmulator({ logger: { debug: log, info: log, warn: log, error: log } });
  const { access_token: token, refresh_token: refreshToken = "" } = await signIn(own, { client_id: "strict" });
  await refresh(own, refreshToken, "strict");
  await refresh(own, refreshToken, "strict");
  await tokenRequest(own, { ...machine, client_secret: "wrong-secret-of-a-client" });
  await tokenRequest(own, { grant_type: "authorization_code", client_id: "web", code: "a-code", redirect_uri: "x" });
  await own.close();
  expect(lines.length).toBeGreaterThan(3);
  for (const hidden of [token, refreshToken, secret, "wrong-secret-of-a-client", "a-code", "Password-1"]) {
    expect(lines.join("\n")).not.toContain(hidden);
  }
});
