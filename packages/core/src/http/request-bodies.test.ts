import { describe, expect, test } from "vitest";
import { OAuthError } from "../errors/index.ts";
import { readForm, readJson, readQuery } from "./index.ts";

const formType = "application/x-www-form-urlencoded";
const post = (
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Record<string, string> = { "Content-Type": formType },
) =>
  new Request("http://localhost/token", {
    method: "POST",
    body,
    headers,
    ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
  });

async function refusal(answer: Promise<unknown>): Promise<OAuthError> {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof OAuthError) return error;
  throw new Error("it was accepted", { cause: error });
}

describe("a form is read strictly", () => {
  test("values are decoded, empty ones count as left out (RFC 6749 §3.1)", async () => {
    const form = await readForm(post("a=1+2%26&b=&c&d=%C3%BC&&e==x"), 100);
    expect(["a", "b", "c", "d", "e"].map((name) => form.get(name))).toEqual(["1 2&", undefined, undefined, "ü", "=x"]);
    expect([form.has("a"), form.has("b"), form.has("z")]).toEqual([true, false, false]);
  });

  test("names of the prototype are no parameters", async () => {
    const form = await readForm(post("a=1"), 100);
    expect([form.get("constructor"), form.has("__proto__"), form.has("get")]).toEqual([undefined, false, false]);
    expect((await readForm(post("__proto__=x"), 100)).get("__proto__")).toBe("x");
  });

  test.each([
    ["attacks §1 repeated", "client_id=a&client_id=b", "invalid_request", "repeated_parameter", "client_id"],
    ["repeated with the same value", "code=a&code=a", "invalid_request", "repeated_parameter", "code"],
    ["repeated, once empty", "scope=&scope=a", "invalid_request", "repeated_parameter", "scope"],
    ["repeated under another spelling", "scope=a&sc%6fpe=b", "invalid_request", "repeated_parameter", "scope"],
    [
      "repeated, name not fit to be shown",
      "%3Cb%3E=a&%3Cb%3E=b",
      "invalid_request",
      "repeated_parameter",
      "a parameter",
    ],
    ["repeated resource (RFC 8707)", "resource=a&resource=b", "invalid_target", "repeated_parameter", "resource"],
    ["broken percent-encoding", "a=%zz", "invalid_request", "malformed_request", "percent-encoded"],
    ["not UTF-8", "a=%ff", "invalid_request", "malformed_request", "UTF-8"],
    ["overlong UTF-8", "a=%c0%af", "invalid_request", "malformed_request", "UTF-8"],
    ["NUL", "a=%00", "invalid_request", "malformed_request", "control"],
    ["line break", "state=a%0d%0aX:y", "invalid_request", "malformed_request", "control"],
    ["control character in a name", "a%0a=1", "invalid_request", "malformed_request", "control"],
  ])("%s", async (_row, body, code, reason, text) => {
    const error = await refusal(readForm(post(body), 1000));
    expect([error.code, error.reason, error.status]).toEqual([code, reason, 400]);
    expect(error.message).toContain(text);
    expect(error.message).not.toContain("<");
  });

  test("64 parameters are the most", async () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `p${i}=1`).join("&");
    expect((await readForm(post(many(64)), 10_000)).has("p63")).toBe(true);
    expect((await refusal(readForm(post(many(65)), 10_000))).reason).toBe("malformed_request");
  });

  test("bytes that are not UTF-8 are refused, not replaced", async () => {
    expect((await refusal(readForm(post(new Uint8Array([0x61, 0x3d, 0xff])), 100))).reason).toBe("malformed_request");
  });

  test("a query is read in the same way", () => {
    expect(readQuery(new URL("http://x/authorize?a=1#b=2")).get("a")).toBe("1");
    expect(() => readQuery(new URL("http://x/?resource=a&resource=b"))).toThrow(
      expect.objectContaining({ code: "invalid_target" }),
    );
    expect(() => readQuery(new URL(`http://x/?a=${"x".repeat(16_384)}`))).toThrow(/longer than/);
  });
});

describe("the content type", () => {
  test.each([
    [formType],
    [`${formType};charset=UTF-8`],
    [`${formType}; charset="utf-8"`],
    ["Application/X-WWW-Form-Urlencoded"],
  ])("%s is a form", async (type) => {
    expect((await readForm(post("a=1", { "Content-Type": type }), 100)).get("a")).toBe("1");
  });

  test.each([
    ["attacks §4 CF: two types", `application/json, ${formType}`],
    ["two types, ours first", `${formType}, application/json`],
    ["JSON", "application/json"],
    ["multipart", "multipart/form-data; boundary=x"],
    ["another charset", `${formType}; charset=utf-16`],
    ["another parameter", `${formType}; x=y`],
    ["a longer name", `${formType}x`],
  ])("%s: 415", async (_row, type) => {
    const error = await refusal(readForm(post("a=1", { "Content-Type": type }), 100));
    expect([error.code, error.reason, error.status]).toEqual(["invalid_request", "unsupported_media_type", 415]);
  });

  test("none at all: 415", async () => {
    expect((await refusal(readForm(post(new Uint8Array([0x61]), {}), 100))).status).toBe(415);
  });

  test("a compressed body: 415", async () => {
    const headers = { "Content-Type": formType, "Content-Encoding": "gzip" };
    expect((await refusal(readForm(post("a=1", headers), 100))).status).toBe(415);
  });
});

describe("attacks §3: a body is bounded while it is read", () => {
  test("one byte over the limit is too much, the limit itself is not", async () => {
    expect((await readForm(post("a=12345678"), 10)).get("a")).toBe("12345678");
    const error = await refusal(readForm(post("a=123456789"), 10));
    expect([error.reason, error.status]).toEqual(["body_too_large", 413]);
  });

  test("a body that says it is long is not read at all", async () => {
    let pulled = 0;
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
    const headers = { "Content-Type": formType, "Content-Length": "20000000" };
    expect((await refusal(readForm(post(body, headers), 1000))).status).toBe(413);
    expect(pulled).toBe(0);
  });

  test("an endless body without a length is cut off soon after the limit", async () => {
    let pulled = 0;
    let cancelled = false;
    const body = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(100).fill(0x61));
      },
      cancel: () => {
        cancelled = true;
      },
    });
    expect((await refusal(readForm(post(body), 1000))).status).toBe(413);
    expect(cancelled).toBe(true);
    expect(pulled).toBeLessThan(20);
  });

  test("a body that breaks off is a bad request, not a fault of the server", async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) });
    expect((await refusal(readForm(post(body), 1000))).reason).toBe("malformed_request");
  });
});

describe("JSON of a registration", () => {
  const json = (body: string, type = "application/json") => readJson(post(body, { "Content-Type": type }), 100);

  test("is read as it is", async () => {
    expect(await json('{"a":[1,"ü"]}', "application/json; charset=utf-8")).toEqual({ a: [1, "ü"] });
  });

  test.each([
    ["no JSON", "{", "application/json", "invalid_client_metadata", 400],
    ["empty", "", "application/json", "invalid_client_metadata", 400],
    ["a form", "a=1", formType, "invalid_request", 415],
    ["attacks §3: too long", `"${"x".repeat(100)}"`, "application/json", "invalid_request", 413],
  ])("%s", async (_row, body, type, code, status) => {
    const error = await refusal(json(body, type));
    expect([error.code, error.status]).toEqual([code, status]);
  });
});
