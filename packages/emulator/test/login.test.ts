import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CognitoEmulator } from "../src/index.ts";
import {
  authorizeUrl,
  callback,
  cookiesOf,
  get,
  location,
  manualClock,
  openForm,
  pool,
  post,
  startEmulator,
  submitForm,
} from "./support.ts";

const clock = manualClock();
let emulator: CognitoEmulator;
beforeAll(async () => {
  emulator = await startEmulator({ clock });
});
afterAll(() => emulator.close());

const alice = { username: "alice", password: "Password-1" };

describe("the page", () => {
  test("has exactly one form with username, password and _csrf, and says what it is", async () => {
    const { html, csrf } = await openForm(emulator);
    expect(html.match(/<form/g)).toHaveLength(1);
    expect([...html.matchAll(/<input[^>]*\sname="([^"]*)"/g)].map(([, name]) => name)).toEqual([
      "_csrf",
      "username",
      "password",
    ]);
    expect(csrf).not.toBe("");
    expect(html).toContain("Local Cognito emulator");
    expect(html).not.toContain("<script");
  });

  test("login_hint fills the username and is escaped", async () => {
    const { html } = await openForm(emulator, { login_hint: 'a"><script>x</script>' });
    expect(html).toContain('value="a&quot;&gt;&lt;script&gt;x&lt;/script&gt;"');
    expect(html).not.toContain("<script>");
  });

  test("lang is told and escaped: the page has one language", async () => {
    const { html } = await openForm(emulator, { lang: "de<b>" });
    expect(html).toContain("Asked for in the language de&lt;b&gt;");
    expect((await openForm(emulator)).html).not.toContain("Asked for");
  });

  test("its headers let the form's redirects through", async () => {
    const { response } = await openForm(emulator);
    expect(response.headers.get("content-security-policy")).not.toContain("form-action");
    expect(response.headers.get("referrer-policy")).not.toBe("no-referrer");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-frame-options")).toBe("DENY");
  });

  test("checks its parameters as /oauth2/authorize does", async () => {
    const { search } = new URL(authorizeUrl(emulator, { redirect_uri: "https://evil.example" }));
    for (const response of [
      await get(`${emulator.url}/login${search}`),
      await post(`${emulator.url}/login${search}`, alice),
    ]) {
      expect(location(response)).toBe(`${emulator.url}/error?error=redirect_mismatch&client_id=public`);
    }
  });
});

describe("signing in", () => {
  test("goes to the redirect URI with a UUID as code, and sets the session cookie", async () => {
    const response = await submitForm(emulator);
    expect(response.status).toBe(302);
    expect(location(response)).toMatch(
      /^http:\/\/localhost:3000\/callback\?code=[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}&state=s-1$/,
    );
    const [cookie] = response.headers.getSetCookie();
    expect(cookie).toMatch(/^cognito=[\w-]+; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/);
  });

  test("does not mind the case of the name", async () => {
    expect(location(await submitForm(emulator, {}, { ...alice, username: "ALICE" }))).toContain("?code=");
  });

  const refused: [string, string, string, string][] = [
    ["wrong password", "alice", "wrong", "Incorrect username or password."],
    ["empty password", "alice", "", "Incorrect username or password."],
    ["unknown user", "nobody", "Password-1", "Incorrect username or password."],
    ["no user", "", "", "Incorrect username or password."],
    ["disabled user", "dora", "Password-1", "User is disabled."],
    ["disabled user with a wrong password", "dora", "wrong", "Incorrect username or password."],
    ["unconfirmed user", "nora", "Password-1", "User is not confirmed."],
    ["user whose password must be reset", "rita", "Password-1", "Password reset required for the user"],
  ];
  test.each(refused)("%s is refused on the page", async (_name, username, password, message) => {
    const response = await submitForm(emulator, {}, { username, password });
    expect(response.status).toBe(400);
    const html = await response.text();
    expect(html).toContain(message);
    expect(html).toContain('role="alert"');
    expect(html.match(/<form/g)).toHaveLength(1);
    expect(response.headers.getSetCookie().join()).not.toContain("cognito=");
  });

  test("the page that reports a wrong password can be sent again", async () => {
    const { loginUrl, csrf, cookies } = await openForm(emulator);
    const refusedPage = await post(loginUrl, { ...alice, password: "wrong", _csrf: csrf }, { cookie: cookies });
    const [, again = ""] = /name="_csrf" value="([^"]*)"/.exec(await refusedPage.text()) ?? [];
    const response = await post(loginUrl, { ...alice, _csrf: again }, { cookie: cookiesOf(refusedPage) });
    expect(location(response)).toContain(`${callback}?code=`);
  });
});

describe("the form belongs to the browser", () => {
  test("without the cookie, without the field and with those of another browser it is refused", async () => {
    const mine = await openForm(emulator);
    const other = await openForm(emulator);
    const attempts = [
      post(mine.loginUrl, { ...alice, _csrf: mine.csrf }),
      post(mine.loginUrl, alice, { cookie: mine.cookies }),
      post(mine.loginUrl, { ...alice, _csrf: mine.csrf }, { cookie: other.cookies }),
      post(mine.loginUrl, { ...alice, _csrf: "1.x" }, { cookie: mine.cookies }),
    ];
    for (const response of await Promise.all(attempts)) {
      expect(response.status).toBe(400);
      expect(await response.text()).toContain("Your session changed.");
    }
  });

  test("a second tab does not spoil the first", async () => {
    const first = await openForm(emulator);
    const second = await get(first.loginUrl, { cookie: first.cookies });
    const response = await post(first.loginUrl, { ...alice, _csrf: first.csrf }, { cookie: cookiesOf(second) });
    expect(location(response)).toContain("?code=");
  });

  test("an XSRF-TOKEN cookie of another app on localhost does no harm", async () => {
    const form = await openForm(emulator);
    const cookie = `XSRF-TOKEN=another-app; ${form.cookies}; XSRF-TOKEN=a.b`;
    const response = await post(form.loginUrl, { ...alice, _csrf: form.csrf }, { cookie });
    expect(location(response)).toContain("?code=");
    expect(form.response.headers.getSetCookie()[0]).toContain("; Path=/login;");
  });

  test("a prompt stands for five minutes", async () => {
    const form = await openForm(emulator);
    const send = () => post(form.loginUrl, { ...alice, _csrf: form.csrf }, { cookie: form.cookies });
    clock.advance(300);
    expect(location(await send())).toContain("?code=");
    clock.advance(1);
    expect(await (await send()).text()).toContain("Your sign-in timed out.");
  });
});

test("a new sign-in ends the browser's session before it", async () => {
  const before = cookiesOf(await submitForm(emulator));
  const form = await openForm(emulator, { prompt: "login" });
  await post(form.loginUrl, { ...alice, _csrf: form.csrf }, { cookie: `${form.cookies}; ${before}` });
  expect(location(await get(authorizeUrl(emulator), { cookie: before }))).toContain("/login?");
});

test("behind https the cookies are Secure, and addresses are those of baseUrl", async () => {
  const secure = await startEmulator({ baseUrl: "https://auth.example.com" });
  const local = `http://localhost:${secure.port}`;
  const { search } = new URL(authorizeUrl(secure));
  const response = await get(`${local}/login${search}`);
  expect(response.headers.getSetCookie()[0]).toMatch(/; Secure$/);
  expect(location(await get(`${local}/oauth2/authorize${search}`))).toBe(`https://auth.example.com/login${search}`);
  await secure.close();
});

test("with e-mail sign-in people type the address, and the user name is the sub", async () => {
  const byEmail = await startEmulator({
    pool: {
      ...pool,
      signInWith: "email",
      users: [{ username: "eve@example.com", password: "Password-1", sub: "sub-of-eve" }],
    },
  });
  const response = await submitForm(byEmail, {}, { username: "Eve@Example.com", password: "Password-1" });
  expect(location(response)).toContain("?code=");
  expect(byEmail.pool.user("eve@example.com")).toMatchObject({
    username: "sub-of-eve",
    attributes: { email: "eve@example.com" },
  });
  expect((await openForm(byEmail)).html).toContain('type="email"');
  await byEmail.close();
});
