import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { tomlLines } from "./toml-lines.ts";

const text = `# comment with [brackets] = and "quotes
a = 1
b.c = "x # no comment"   # comment
list = [
  "one", # [
  'two',
  { path = "/a", deep = { k = 1 } },
]
long = """
[not.a.header]
key = "value" \\""" ""
"""
raw = '''
[nor.this]'''
"quoted key" = 1979-05-27 07:32:00

[table]
x = 1
  [table."mcp/read"]
  includes = []

[[servers]]
name = "a"
[servers.auth]
kind = "none"

[[servers]]
name = "b"
[[servers.tools]]
t = 1
[[servers.tools]]
t = 2
`;

describe("tomlLines", () => {
  it("is tested with a text that is TOML", () => {
    expect(parse(text)).toHaveProperty(["servers", 1, "tools", 1, "t"], 2);
  });

  it.each<[string, (string | number)[], number | undefined]>([
    ["a key", ["a"], 2],
    ["a dotted key", ["b", "c"], 3],
    ["the table that a dotted key makes", ["b"], 3],
    ["a list", ["list"], 4],
    ["an element", ["list", 1], 6],
    ["a key in an inline table", ["list", 2, "deep", "k"], 7],
    ["a key after a multi-line string", ["raw"], 13],
    ["a quoted key", ["quoted key"], 15],
    ["a table", ["table"], 17],
    ["a key of a table", ["table", "x"], 18],
    ["a quoted header", ["table", "mcp/read", "includes"], 20],
    ["a list of tables", ["servers", 0, "name"], 23],
    ["a table below an element", ["servers", 0, "auth", "kind"], 25],
    ["the second element", ["servers", 1, "name"], 28],
    ["a list of tables in an element", ["servers", 1, "tools", 1, "t"], 32],
    ["what is left out: the table around it", ["servers", 1, "auth"], 27],
    ["what is nowhere", ["nothing"], undefined],
    ["a header inside a string", ["not"], undefined],
  ])("finds %s", (_, path, line) => {
    expect(tomlLines(text)(path)).toBe(line);
  });

  it.each(["[", "[a", "a = [ }", "a = { b", "= = =", 'a = """', "[[[", "a = [[", "\\", "a =\n=", "a", ""])(
    "ends on %j, which is not TOML",
    (broken) => {
      expect(tomlLines(broken)(["zzz"])).toBeUndefined();
    },
  );

  it("counts lines that end in CR LF", () => {
    expect(tomlLines("a = 1\r\n\r\nb = 2\r\n")(["b"])).toBe(3);
  });
});
