/** Red, green and blue, 0 to 255 each. */
type Rgb = readonly [number, number, number];

/**
 * Contrast of two colours, 1 to 21 (WCAG 2.2, "contrast ratio").
 * @param a as `#rrggbb`
 */
export function contrast(a: string, b: string): number {
  const [one, two] = [luminance(rgbOf(a)), luminance(rgbOf(b))];
  return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
}

/** `share` (0 to 1) of one colour in another. */
export function mix(colour: string, into: string, share: number): string {
  const [one, two] = [rgbOf(colour), rgbOf(into)];
  return hexOf([0, 1, 2].map((at) => Math.round((one[at] ?? 0) * share + (two[at] ?? 0) * (1 - share))));
}

/**
 * The colour itself, or as little as it takes of it moved towards black or white, so that it stands out from a ground.
 * @param least contrast that is reached; no more than black or white has on that ground
 */
export function standingOut(colour: string, ground: string, least: number): string {
  const end = luminance(rgbOf(ground)) > 0.18 ? "#000000" : "#ffffff";
  for (let share = 1; share > 0; share -= 0.02) {
    const candidate = mix(colour, end, share);
    if (contrast(candidate, ground) >= least) return candidate;
  }
  return end;
}

function rgbOf(hex: string): Rgb {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return [red, green, blue];
}

const hexOf = (parts: readonly number[]): string =>
  `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;

/** Relative luminance (WCAG 2.2), 0 to 1. */
function luminance(rgb: Rgb): number {
  const [red = 0, green = 0, blue = 0] = rgb.map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
