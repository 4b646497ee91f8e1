import { describe, expect, it } from "vitest";
import { readCallback } from "./callback-answer.ts";

const issuer = "https://mcp.example.com";
const expected = { state: "s1", issuer, issRequired: true };
const read = (query: string, more: Partial<typeof expected> = {}) =>
  readCallback(new URLSearchParams(query), { ...expected, ...more });
const iss = `iss=${encodeURIComponent(issuer)}`;

describe("an authorization response", () => {
  it("with state, issuer and code is the answer", () => {
    expect(read(`code=c1&state=s1&${iss}`)).toEqual({ kind: "code", code: "c1" });
  });

  it.each(["", "code=c1", `code=c1&state=s2&${iss}`, `code=c1&state=s1&state=s2&${iss}`, `error=access_denied&${iss}`])(
    "without its state is not the answer: %s",
    (query) => expect(read(query)).toEqual({ kind: "foreign" }),
  );

  it.each([
    "code=c1&state=s1",
    "code=c1&state=s1&iss=https://evil.example",
    "error=x&state=s1&iss=https://evil.example",
  ])("from nobody or from another issuer ends the sign-in and says nothing of its own: %s", (query) => {
    expect(read(query)).toMatchObject({ kind: "failed", error: { code: "invalid_response" } });
  });

  it("needs no iss where the server does not promise one, but no wrong one either", () => {
    expect(read("code=c1&state=s1", { issRequired: false })).toEqual({ kind: "code", code: "c1" });
    expect(read("code=c1&state=s1&iss=https://evil.example", { issRequired: false })).toMatchObject({ kind: "failed" });
  });

  it.each([`state=s1&${iss}`, `code=&state=s1&${iss}`, `code=a&code=b&state=s1&${iss}`])(
    "that is malformed ends the sign-in: %s",
    (query) => expect(read(query)).toMatchObject({ kind: "failed", error: { code: "invalid_response" } }),
  );

  it("passes on what the server says of a refusal, but nothing that a terminal would act on", () => {
    expect(read(`error=access_denied&error_description=No+groups&state=s1&${iss}`)).toMatchObject({
      error: { code: "access_denied", message: "No groups" },
    });
    expect(read(`error=access_denied&error_description=%1b%5b2J&state=s1&${iss}`)).toMatchObject({
      error: { code: "access_denied", message: "the authorization server refused: access_denied" },
    });
    expect(read(`error=%0a&state=s1&${iss}`)).toMatchObject({ error: { code: "invalid_response" } });
  });
});
