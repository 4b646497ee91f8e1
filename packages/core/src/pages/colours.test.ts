import { describe, expect, test } from "vitest";
import { contrast, mix, standingOut } from "./colours.ts";
import { accentOf, pageStyle } from "./page-style.ts";

describe("contrast (WCAG 2.2)", () => {
  test.each([
    ["#000000", "#ffffff", 21],
    ["#ffffff", "#ffffff", 1],
    ["#777777", "#ffffff", 4.48],
    ["#ff0000", "#ffffff", 4.0],
    ["#0000ff", "#ffffff", 8.59],
  ])("%s on %s is %f to 1, either way round", (a, b, ratio) => {
    expect(contrast(a, b)).toBeCloseTo(ratio, 1);
    expect(contrast(b, a)).toBe(contrast(a, b));
  });
});

test("mixing gives the share that was asked for", () => {
  expect(mix("#000000", "#ffffff", 1)).toBe("#000000");
  expect(mix("#000000", "#ffffff", 0)).toBe("#ffffff");
  expect(mix("#ff0080", "#000000", 0.5)).toBe("#800040");
});

test("a colour that stands out already is left alone", () => {
  expect(standingOut("#0e5f63", "#ffffff", 4.5)).toBe("#0e5f63");
  expect(standingOut("#78cfc7", "#172028", 4.5)).toBe("#78cfc7");
});

test("what cannot be reached becomes black or white", () => {
  expect(standingOut("#888888", "#777777", 21)).toBe("#000000");
  expect(standingOut("#111111", "#000000", 22)).toBe("#ffffff");
});

/** Every corner of the colour cube, greys, and what companies like to have. */
const accents = [
  ...["00", "80", "ff"].flatMap((r) =>
    ["00", "80", "ff"].flatMap((g) => ["00", "80", "ff"].map((b) => `#${r}${g}${b}`)),
  ),
  ...["#ffcc00", "#00ff7f", "#e50914", "#1db954", "#0a66c2", "#f5f5f5", "#101010"],
];

describe("an accent colour", () => {
  const grounds = { light: "#ffffff", dark: "#172028" } as const;
  const inks = { light: ["#16212b", "#4e5d6b"], dark: ["#e9eef2", "#a9b6c1"] } as const;
  const full = (colour: string) => (colour === "#fff" ? "#ffffff" : colour);

  test.each(accents)("%s: every text keeps 4.5 to 1, light and dark", (colour) => {
    const variants = accentOf(colour);
    for (const scheme of ["light", "dark"] as const) {
      const { accent, onAccent, tint } = variants[scheme];
      expect(contrast(accent, grounds[scheme]), `${scheme}: links and the name`).toBeGreaterThanOrEqual(4.5);
      expect(contrast(full(onAccent), accent), `${scheme}: the button`).toBeGreaterThanOrEqual(4.5);
      for (const ink of inks[scheme])
        expect(contrast(ink, tint), `${scheme}: ${ink} on the tint`).toBeGreaterThanOrEqual(4.5);
    }
  });

  test("without one the style has our own", () => {
    expect(pageStyle()).toContain("--accent:#0e5f63;--on-accent:#fff;--tint:#e9f3f3;--warn:");
    expect(pageStyle()).toContain("--accent:#78cfc7;--on-accent:#062523;--tint:#1a2d30;--warn:");
    expect(pageStyle("#ffcc00")).not.toMatch(/#0e5f63|#78cfc7/);
  });
});
