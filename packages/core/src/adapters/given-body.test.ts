import { expect, test } from "vitest";
import { givenBody } from "./given-body.ts";

const form = "application/x-www-form-urlencoded";

test.each([
  ["text", "a=b", form, "a=b"],
  ["a form", { a: "b c", d: ["1", "2"] }, `${form}; charset=utf-8`, "a=b+c&d=1&d=2"],
  ["a form without fields", {}, form, ""],
  ["JSON", { a: [null, 1] }, "application/json", '{"a":[null,1]}'],
  ["JSON null", null, "application/json", "null"],
  ["JSON of another type", { a: 1 }, "application/problem+json", '{"a":1}'],
])("%s is written down again", (_what, parsed, type, body) => {
  expect(givenBody(parsed, type)).toEqual({ body, type: type.split(";")[0] });
});

test("bytes stay bytes", () => {
  expect(givenBody(Buffer.from([0, 255]), "image/png")).toEqual({ body: new Uint8Array([0, 255]), type: "image/png" });
});

test.each([
  ["nothing is left", undefined, "application/json", "(application/json) and left nothing"],
  [
    "a type that nobody can write",
    { a: 1 },
    "multipart/form-data; boundary=x",
    "(multipart/form-data) and left nothing",
  ],
  ["no type", { a: 1 }, undefined, "(no Content-Type)"],
  ["a nested field", { a: { b: "c" } }, form, 'the form field "a": put'],
  ["a nested element", { a: [{}] }, form, "extended: false"],
])("%s: an error that says what is in the way", (_what, parsed, type, message) => {
  expect(() => givenBody(parsed, type)).toThrow(message);
});
