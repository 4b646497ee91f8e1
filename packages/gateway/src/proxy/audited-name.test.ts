import { expect, test } from "vitest";
import { auditedName } from "./audited-name.ts";

test.each([
  ["tools/call", "delete_note", "delete_note"],
  ["tools/call", "why?", "why?"],
  ["tools/call", "x".repeat(200), `${"x".repeat(128)}…`],
  ["prompts/get", "summarize_notes", "summarize_notes"],
  ["resources/read", "note://17", "note://17"],
  ["resources/read", "https://files.example/a/b?sig=secret&x=1", "https://files.example/a/b?…"],
  ["resources/read", "https://files.example/a#secret\nsecret", "https://files.example/a#…"],
  ["resources/subscribe", "ftp://me:secret@files.example/a@b", "ftp://…@files.example/a@b"],
  ["resources/read", "https://me:sec?ret@files.example/", "https://…@files.example/"],
  ["tasks/result", "0d9a2f1e", undefined],
])("%s %j", (method, name, kept) => {
  expect(auditedName(method, name)).toBe(kept);
});
