import { expect, test } from "vitest";
import { systemClock, systemRandom } from "../runtime/index.ts";
import { addBrowserCookie, browserCookies, type CookieDeps, endBrowserCookies } from "./index.ts";

/** A browser that keeps cookies of one host by name, and a deployment whose clock is set by hand. */
function browser(baseUrl: string) {
  let now = 1_800_000_000_000;
  const jar = new Map<string, string>();
  const deps: CookieDeps = { baseUrl, clock: { ...systemClock, now: () => now }, random: systemRandom };
  const request = () =>
    new Request(`${baseUrl}/authorize`, {
      headers: { Cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
    });
  const take = (lines: readonly string[]): readonly string[] => {
    for (const line of lines) {
      const [, name = "", text = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (line.includes("Max-Age=0;")) jar.delete(name);
      else jar.set(name, text);
    }
    return lines;
  };
  return {
    jar,
    deps,
    pass: (ms: number) => {
      now += ms;
    },
    values: (kind: string) => browserCookies(request(), kind, deps),
    add(kind: string, value: string, lifetime = 600_000, replaces?: (value: string) => boolean) {
      return take(addBrowserCookie(request(), deps, kind, value, lifetime, replaces));
    },
    end(kinds: readonly string[]) {
      return take(endBrowserCookies(request(), deps, kinds));
    },
  };
}

test("on https a cookie has the __Host- prefix and all that it asks for", () => {
  const [line] = browser("https://auth.example.com").add("tx", "value", 600_000);
  expect(line).toMatch(
    /^__Host-sallyport-tx-[0-9a-z]{9}-[A-Za-z0-9_-]+=value; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/,
  );
});

test("on loopback http there is neither the prefix nor Secure, which browsers would not keep", () => {
  const [line] = browser("http://localhost:8000").add("page", "value", 1500);
  expect(line).toMatch(/^sallyport-page-[0-9a-z]{9}-[A-Za-z0-9_-]+=value; Path=\/; Max-Age=2; HttpOnly; SameSite=Lax$/);
});

test("attacks §1: two tabs in parallel keep a cookie each; the kinds do not mix", () => {
  const { add, values } = browser("https://auth.example.com");
  add("tx", "one");
  add("tx", "two");
  add("page", "three");
  expect([...values("tx")].sort()).toEqual(["one", "two"]);
  expect(values("page")).toEqual(["three"]);
});

test("the newest eight of a kind are kept, the oldest is ended", () => {
  const { add, values, pass, jar } = browser("https://auth.example.com");
  add("page", "page");
  for (let i = 1; i <= 12; i++) {
    pass(1000);
    expect(add("tx", `v${i}`)).toHaveLength(i <= 8 ? 1 : 2);
  }
  expect(values("tx")).toEqual(["v12", "v11", "v10", "v9", "v8", "v7", "v6", "v5"]);
  expect(values("page")).toEqual(["page"]);
  expect(jar.size).toBe(9);
});

test("the time in the name decides which is newest, not the order in which the browser sends them", () => {
  const { add, values, pass } = browser("https://auth.example.com");
  for (const [value, ms] of [
    ["b", 2000],
    ["d", 2000],
    ["a", -3000],
    ["c", 2000],
  ] as const) {
    pass(ms);
    add("tx", value);
  }
  expect(values("tx")).toEqual(["d", "c", "b", "a"]);
});

test("on https a cookie without the prefix, which a neighbouring subdomain may set, does not count", () => {
  const { jar, values } = browser("https://auth.example.com");
  jar.set("sallyport-tx-0mzzzzzzz-AAAAAAAAAAA", "planted");
  jar.set("__Secure-sallyport-tx-0mzzzzzzz-AAAAAAAAAAA", "planted");
  expect(values("tx")).toEqual([]);
});

test("another port of localhost cannot push our cookies out with names from the future", () => {
  const { jar, add, values } = browser("http://localhost:8000");
  for (let i = 0; i < 8; i++) jar.set(`sallyport-tx-zzzzzzzzz-AAAAAAAAAA${i}`, "planted");
  add("tx", "ours");
  add("tx", "ours-too");
  expect([...values("tx")].slice(0, 2).sort()).toEqual(["ours", "ours-too"]);
});

test("what is malformed is left out, and of two cookies with one name the first counts", () => {
  const deps = browser("http://localhost:8000").deps;
  const name = (n: number) => `sallyport-tx-0abcdefg${n}-AAAAAAAAAAA`;
  const header = [
    `${name(1)}=first`,
    `${name(1)}=second`,
    `${name(2)}=with space`,
    `${name(3)}="quoted"`,
    name(4),
    "=x",
    ";;",
    "sallyport-tx-=x",
    "sallyport-tx-short-1=x",
    `x${name(5)}=x`,
    "other=1",
  ].join("; ");
  const request = new Request("http://localhost/", { headers: { Cookie: header } });
  expect(browserCookies(request, "tx", deps)).toEqual(["first"]);
  expect(browserCookies(new Request("http://localhost/"), "tx", deps)).toEqual([]);
});

test("a cookie that replaces others ends those and no more", () => {
  const { add, values, pass } = browser("https://auth.example.com");
  for (const value of ["ours-1", "theirs", "ours-2"]) {
    pass(1000);
    add("user", value);
  }
  pass(1000);
  const lines = add("user", "ours-3", 1000, (value) => value.startsWith("ours"));
  expect(lines.filter((line) => line.includes("Max-Age=0;"))).toHaveLength(2);
  expect(values("user")).toEqual(["ours-3", "theirs"]);
});

test("ending kinds ends every cookie of theirs and none of another kind", () => {
  const { add, end, values } = browser("https://auth.example.com");
  for (const kind of ["tx", "page", "user"]) {
    add(kind, "one");
    add(kind, "two");
  }
  for (const line of end(["tx", "user"])) {
    expect(line).toMatch(/^__Host-sallyport-(?:tx|user)-[^=]+=; Path=\/; Max-Age=0; HttpOnly; SameSite=Lax; Secure$/);
  }
  expect([values("tx"), values("user"), [...values("page")].sort()]).toEqual([[], [], ["one", "two"]]);
});
