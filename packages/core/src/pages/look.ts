import type { CoreConfig } from "../config/section.ts";
import { pageStyle } from "./page-style.ts";

/** What the settings make of every page. */
export interface Look {
  readonly name: string;
  /** Address of an image; undefined: our own mark. */
  readonly logo: string | undefined;
  /** What the content security policy allows images from, exactly that logo. */
  readonly imageSource: string | undefined;
  readonly termsUrl: string | undefined;
  readonly privacyUrl: string | undefined;
  readonly style: string;
}

/** Works out the look once for all pages. */
export const lookOf = ({ name, logo, accentColor, termsUrl, privacyUrl }: CoreConfig["branding"]): Look => ({
  name,
  logo,
  imageSource: logo === undefined ? undefined : imageSource(logo),
  termsUrl,
  privacyUrl,
  style: pageStyle(accentColor),
});

/** CSP 3 §2.3.1: a path without its query; `,` and `;` would end the policy or the directive. */
function imageSource(logo: string): string {
  if (logo.startsWith("data:")) return "data:";
  const { origin, pathname } = new URL(logo);
  return origin + pathname.replaceAll(",", "%2C").replaceAll(";", "%3B");
}
