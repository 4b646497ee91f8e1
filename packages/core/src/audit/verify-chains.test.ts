import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deriveRootKeys, hmacDigester } from "../crypto/index.ts";
import { systemRandom } from "../runtime/index.ts";
import { createChain } from "./chain.ts";
import { type ChainsReport, parseHead, verifyChains } from "./index.ts";

const keys = deriveRootKeys(["a root secret that only this test has"]);
const others = deriveRootKeys(["another root secret, of yesterday"]);

/** The lines of one chain: opened, events, closed. */
function chainOf(events: number, key = keys.active): string[] {
  const chain = createChain(key, systemRandom);
  const at = (second: number) => new Date(Date.UTC(2026, 10, 20, 0, 0, second)).toISOString();
  const all = [
    { time: at(0), action: "audit.opened", version: "1.0.0", kid: key.kid },
    ...Array.from({ length: events }, (_, n) => ({ time: at(n + 1), action: "request.allowed", tool: `töol "${n}"` })),
    { time: at(events + 1), action: "audit.closed" },
  ];
  return all.map((event) => chain.link(JSON.stringify(event)));
}

type Files = Readonly<Record<string, readonly (string | Uint8Array)[]>>;

function verify(files: Files, known = keys, heads: readonly string[] = []): ChainsReport {
  const verifier = verifyChains(
    known,
    heads.flatMap((head) => parseHead(head) ?? []),
  );
  for (const [name, lines] of Object.entries(files)) {
    verifier.file(name);
    for (const line of lines) if (!verifier.line(Buffer.from(line))) break;
  }
  return verifier.end();
}

const kinds = (report: ChainsReport) => report.findings.map(({ kind, seq, file, line }) => ({ kind, seq, file, line }));
const nthOf = <T>(list: readonly T[], index: number): T => {
  const item = list.at(index);
  if (item === undefined) throw new Error(`there is no ${index}`);
  return item;
};
const headOf = (lines: readonly string[], index = -1): string => {
  const { chain, seq, hash } = JSON.parse(nthOf(lines, index));
  return `${chain}:${seq}:${hash}`;
};

test("the digest of many is HMAC-SHA-256", () => {
  const digest = hmacDigester(keys.active.audit);
  for (const text of ["", "a", "ä".repeat(5000), "x".repeat(9000), "b"]) {
    const expected = createHmac("sha256", keys.active.audit).update(text).digest("base64url");
    expect([digest(text), digest(Buffer.from(text))]).toEqual([expected, expected]);
  }
});

describe("a trail that is whole", () => {
  test("one chain, with what is known of it", () => {
    const lines = chainOf(3);
    const report = verify({ a: lines });
    expect(report).toMatchObject({ whole: true, findings: [], givenUp: false });
    expect(report.chains).toEqual([
      {
        chain: JSON.parse(nthOf(lines, 0)).chain,
        seq: [1, 5],
        time: ["2026-11-20T00:00:00.000Z", "2026-11-20T00:00:04.000Z"],
        lines: 5,
        dropped: 0,
        closed: true,
        head: headOf(lines),
      },
    ]);
  });

  test("chains mixed in a file, going on over rotated files that are given in any order", () => {
    const [one, two] = [chainOf(50), chainOf(50)];
    const mixed = one.flatMap((line, n) => [line, nthOf(two, n)]);
    const [old, middle, young] = [mixed.slice(0, 31), mixed.slice(31, 70), mixed.slice(70)];
    for (const files of [
      { old, middle, young },
      { young, middle, old },
      { middle, old, young },
    ]) {
      const report = verify(files);
      expect(report.findings).toEqual([]);
      expect(report.chains.map(({ seq, closed, lines }) => ({ seq, closed, lines }))).toEqual([
        { seq: [1, 52], closed: true, lines: 52 },
        { seq: [1, 52], closed: true, lines: 52 },
      ]);
    }
  });

  test("under any of the root secrets", () => {
    const lines = [...chainOf(2, others.active), ...chainOf(2)];
    const both = deriveRootKeys(["a root secret that only this test has", "another root secret, of yesterday"]);
    expect(verify({ a: lines }, both).whole).toBe(true);
    expect(kinds(verify({ a: lines }))).toEqual([{ kind: "altered", seq: [1, 4], file: "a", line: 1 }]);
    expect(verify({ a: lines }).findings[0]).toMatchObject({ kid: others.active.kid });
  });

  test("a chain that was not closed: in use, or killed", () => {
    const report = verify({ a: chainOf(5).slice(0, -1) });
    expect(report).toMatchObject({ whole: true, chains: [{ seq: [1, 6], closed: false }] });
  });

  test("what a kill left of a line is torn, at the end of the file or before another's line", () => {
    const [dead, next] = [chainOf(5), chainOf(1)];
    const fragment = nthOf(dead, 4);
    for (let length = 1; length < fragment.length; length += 1) {
      const torn = fragment.slice(0, length);
      const begun = dead.slice(0, 4);
      const reports = [
        verify({ a: [...begun, torn] }),
        verify({ a: [...begun, torn, ...next] }),
        verify({ a: [...begun, torn + nthOf(next, 0), ...next.slice(1)] }),
      ];
      for (const { whole, findings, chains } of reports) {
        expect({ length, whole, findings }).toMatchObject({ whole: true, findings: [{ kind: "torn", line: 5 }] });
        expect(chains[0]).toMatchObject({ seq: [1, 4], closed: false, head: headOf(dead, 3) });
      }
    }
  });
});

describe("what was done to it is found, with file and line", () => {
  const lines = chainOf(8);
  const without = (index: number) => lines.toSpliced(index, 1);

  test.each<readonly [string, Files, readonly object[]]>([
    ["a line is gone", { a: without(3) }, [{ kind: "missing", seq: [4, 4], file: "a", line: 4 }]],
    ["the first is gone", { a: without(0) }, [{ kind: "missing", seq: [1, 1], file: "a", line: 1 }]],
    ["several are gone", { a: lines.toSpliced(2, 4) }, [{ kind: "missing", seq: [3, 6], file: "a", line: 3 }]],
    [
      "a file is gone",
      { a: lines.slice(0, 3), c: lines.slice(6) },
      [{ kind: "missing", seq: [4, 6], file: "c", line: 1 }],
    ],
    [
      "two have changed places",
      { a: lines.with(4, nthOf(lines, 5)).with(5, nthOf(lines, 4)) },
      [{ kind: "reordered", seq: [5, 5], file: "a", line: 6 }],
    ],
    ["a line is there twice", { a: [...lines, nthOf(lines, 2)] }, [{ kind: "duplicated", seq: [3, 3], line: 11 }]],
    ["a file is there twice", { a: lines, b: lines }, [{ kind: "duplicated", seq: [1, 10], file: "b", line: 1 }]],
    ["another's line", { a: lines.toSpliced(2, 0, "ready http://x") }, [{ kind: "foreign", file: "a", line: 3 }]],
    [
      "a line of a trail without a chain",
      { a: lines.toSpliced(2, 0, '{"time":"2026-11-20T00:00:02.000Z","action":"token.issued"}') },
      [{ kind: "foreign", file: "a", line: 3 }],
    ],
    [
      "an altered line",
      { a: lines.with(3, nthOf(lines, 3).replace("allowed", "refused")) },
      [{ kind: "altered", seq: [4, 4], file: "a", line: 4 }],
    ],
    [
      "a line made up, with a place in the chain",
      { a: lines.with(3, nthOf(chainOf(8, others.active), 3)) },
      [
        { kind: "altered", seq: [4, 4] },
        { kind: "missing", seq: [4, 4] },
      ],
    ],
  ])("%s", (_, files, expected) => {
    const report = verify(files);
    expect(report.whole).toBe(false);
    expect(kinds(report)).toEqual(expected.map((finding) => expect.objectContaining(finding)));
  });

  test("two that write under one id, as copies of a machine do", () => {
    const copy = { ...systemRandom, bytes: (length: number) => new Uint8Array(length) };
    const [one, two] = [createChain(keys.active, copy), createChain(keys.active, copy)];
    const link = (chain: typeof one, n: number) => chain.link(`{"time":"2026-11-20T00:00:00.000Z","n":${n}}`);
    const [ours, theirs] = [[1, 2, 3].map((n) => link(one, n)), [4, 5, 6, 7].map((n) => link(two, n))];
    expect(kinds(verify({ a: [...ours, nthOf(theirs, 3)] }))).toEqual([
      { kind: "unlinked", seq: [4, 4], file: "a", line: 4 },
    ]);
  });

  test("a cut at the end is found by a head from elsewhere, and by it alone", () => {
    const cut = lines.slice(0, 6);
    expect(verify({ a: cut }).whole).toBe(true);
    expect(kinds(verify({ a: cut }, keys, [headOf(lines, 7)]))).toMatchObject([{ kind: "unmet", seq: [8, 8] }]);
    expect(verify({ a: cut }, keys, [headOf(lines, 5)]).whole).toBe(true);
    expect(verify({ a: [] }, keys, [headOf(lines)]).whole).toBe(false);
    const wrong = headOf(lines, 5).replace(/.{43}$/, "A".repeat(43));
    expect(verify({ a: lines }, keys, [wrong]).whole).toBe(false);
  });

  test("older files may be gone behind a head that is known", () => {
    const young = lines.slice(4);
    expect(kinds(verify({ a: young }))).toEqual([{ kind: "missing", seq: [1, 4], file: "a", line: 1 }]);
    expect(verify({ a: young }, keys, [headOf(lines, 3)])).toMatchObject({ whole: true, findings: [] });
    expect(kinds(verify({ a: young }, keys, [headOf(lines, 2)])).map(({ kind }) => kind)).toEqual(["missing", "unmet"]);
  });

  test("it is given up where too much is wrong, in bounded memory", () => {
    const junk = { length: 20_000 };
    const report = verify({ a: Array.from(junk, (_, n) => `junk ${n}`) });
    expect(report).toMatchObject({ givenUp: true, whole: false });
    expect(report.findings.length).toBeLessThan(10_010);
    const halved = chainOf(25_000).filter((_, n) => n % 2 === 0);
    expect(verify({ a: halved }).givenUp).toBe(true);
  });
});

describe("any change", () => {
  const lines = chainOf(12);
  const index = fc.nat({ max: lines.length - 1 });
  const bytes = Buffer.from(`${lines.join("\n")}\n`);
  const ofBytes = (content: Uint8Array): readonly Uint8Array[] => {
    const found: Uint8Array[] = [];
    for (let start = 0; start < content.length; ) {
      const end = content.indexOf(0x0a, start);
      found.push(content.subarray(start, end < 0 ? content.length : end));
      start = end < 0 ? content.length : end + 1;
    }
    return found;
  };

  test("of one byte", () => {
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ by;
        expect(verify({ a: ofBytes(changed) }).whole).toBe(false);
      }),
      { numRuns: 3000 },
    );
  });

  test("of the order, a line left out, put in, repeated", () => {
    fc.assert(
      fc.property(index, index, fc.constantFrom("swap", "delete", "repeat", "insert"), (one, two, what) => {
        fc.pre(what !== "swap" || one !== two);
        const [a, b] = [nthOf(lines, one), nthOf(lines, two)];
        const changed = {
          swap: () => lines.with(one, b).with(two, a),
          delete: () => lines.toSpliced(one, 1),
          repeat: () => lines.toSpliced(one, 0, b),
          insert: () => lines.toSpliced(one, 0, nthOf(chainOf(12, others.active), two)),
        }[what]();
        const { whole, chains } = verify({ a: changed });
        // The last line gone is a chain that was not closed.
        expect(whole && chains[0]?.closed).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });
});
