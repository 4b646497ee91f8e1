import { createHmac } from "node:crypto";
import { randomText, secretEqual } from "../runtime.ts";
import type { Emulation } from "../state/emulation.ts";
import { cookieValues, setCookie } from "./cookies.ts";

const cookieName = "XSRF-TOKEN";
/** How long a sign-in prompt may stand. Source: Cognito, login endpoint. */
const promptLifetime = 5 * 60_000;

export type FormCheck = "ok" | "timed_out" | "foreign";

type Context = Pick<Emulation, "formKey" | "random" | "clock" | "addresses">;

function mac({ formKey }: Context, ...parts: string[]): string {
  return createHmac("sha256", formKey).update(parts.join("\n")).digest("base64url");
}

function ownNonce(context: Context, cookie: string): string | undefined {
  const [nonce = "", tag = ""] = cookie.split(".");
  return secretEqual(tag, mac(context, "cookie", nonce)) ? nonce : undefined;
}

/**
 * Makes the hidden field of a sign-in form and the cookie it is bound to. A browser that already has a cookie of this
 * emulator keeps it, so that two tabs do not disturb each other. The cookie's path is `/login`: another app on
 * localhost may have an `XSRF-TOKEN` of its own, and neither overwrites the other's.
 */
export function protectForm(context: Context, cookieHeader: string | undefined): { field: string; cookie: string } {
  const known = cookieValues(cookieHeader, cookieName).map((value) => ownNonce(context, value));
  const nonce = known.find((value) => value !== undefined) ?? randomText(context.random, 16);
  const issuedAt = String(context.clock.now());
  const secure = context.addresses.url.startsWith("https:");
  return {
    field: `${issuedAt}.${mac(context, "form", nonce, issuedAt)}`,
    cookie: setCookie(cookieName, `${nonce}.${mac(context, "cookie", nonce)}`, { path: "/login", secure }),
  };
}

/** Whether a posted form is one this emulator showed to this browser, within the last 5 minutes. */
export function checkForm(context: Context, cookieHeader: string | undefined, field: string): FormCheck {
  const [issuedAt = "", tag = ""] = field.split(".");
  const bound = cookieValues(cookieHeader, cookieName).some((cookie) => {
    const nonce = ownNonce(context, cookie);
    return nonce !== undefined && secretEqual(tag, mac(context, "form", nonce, issuedAt));
  });
  if (!bound) return "foreign";
  const age = context.clock.now() - Number(issuedAt);
  return age >= 0 && age <= promptLifetime ? "ok" : "timed_out";
}
