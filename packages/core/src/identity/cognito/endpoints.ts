import { endpointUrl } from "../../config/values.ts";
import { CognitoOptionsError } from "./options.ts";

/** Where a user pool answers. */
export interface CognitoEndpoints {
  readonly authorization: URL;
  readonly token: URL;
  readonly revocation: URL;
  readonly userInfo: URL;
  readonly logout: URL;
  /** The pool's OpenID configuration, served by the issuer's host and not by the domain. */
  readonly discovery: URL;
  /** Whether a URL is on a host that may speak for the pool: one of AWS's for its region, or the endpoint that replaces them. */
  readonly isPoolHost: (url: URL) => boolean;
}

/**
 * Works out the endpoints of a user pool, without asking anyone.
 * Sources: Cognito Developer Guide, "Federation endpoints", "Using the Amazon Cognito domain"; AWS GovCloud (US) User
 * Guide, "Amazon Cognito" (its prefix domains are on `auth-fips`).
 * @param settings.userPoolId already known to have the form of one
 * @param settings.endpoint without a trailing slash
 * @throws {CognitoOptionsError} if the domain is none
 */
export function cognitoEndpoints(settings: {
  readonly userPoolId: string;
  readonly domain: string;
  readonly endpoint?: string | undefined;
}): CognitoEndpoints {
  const region = settings.userPoolId.slice(0, settings.userPoolId.indexOf("_"));
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const domain = domainUrl(settings.domain, region);
  const base = settings.endpoint ?? `https://cognito-idp.${region}.${suffix}`;
  // A pool's issuer type is ORIGINAL or UPDATED; GovCloud answers on the FIPS host.
  const awsHosts = ["cognito-idp", "issuer-cognito-idp", "cognito-idp-fips"].map(
    (name) => `${name}.${region}.${suffix}`,
  );
  const endpointOrigin = settings.endpoint === undefined ? undefined : new URL(settings.endpoint).origin;
  return {
    authorization: new URL(`${domain}/oauth2/authorize`),
    token: new URL(`${domain}/oauth2/token`),
    revocation: new URL(`${domain}/oauth2/revoke`),
    userInfo: new URL(`${domain}/oauth2/userInfo`),
    logout: new URL(`${domain}/logout`),
    discovery: new URL(`${base}/${settings.userPoolId}/.well-known/openid-configuration`),
    isPoolHost: (url) =>
      url.origin === endpointOrigin ||
      (url.protocol === "https:" && url.port === "" && awsHosts.includes(url.hostname)),
  };
}

const setting = "cognito.domain";

function domainUrl(domain: string, region: string): string {
  if (domain.includes("://")) {
    const parsed = endpointUrl().safeParse(domain);
    if (!parsed.success) throw new CognitoOptionsError(setting, parsed.error.issues[0]?.message ?? "is no URL");
    if (new URL(parsed.data).pathname !== "/") throw new CognitoOptionsError(setting, "must have no path");
    inRegion(new URL(parsed.data).hostname, region);
    return parsed.data;
  }
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(domain)) {
    if (region.startsWith("cn-")) throw new CognitoOptionsError(setting, "in a cn- region must be the full host name");
    const auth = region.startsWith("us-gov-") ? "auth-fips" : "auth";
    return `https://${domain}.${auth}.${region}.amazoncognito.com`;
  }
  const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
  if (!new RegExp(`^${label}(?:\\.${label})+$`, "i").test(domain)) {
    throw new CognitoOptionsError(
      setting,
      "is no domain; write a prefix (my-app), a host (auth.example.com) or a full URL (https://auth.example.com)",
    );
  }
  inRegion(domain.toLowerCase(), region);
  return `https://${domain.toLowerCase()}`;
}

/** A prefix domain lives in the region of its pool: another region there or in the pool id is a slip. */
function inRegion(host: string, region: string): void {
  const named = /\.auth(?:-fips)?\.([a-z0-9-]+)\.amazoncognito\.com$/.exec(host)?.[1];
  if (named !== undefined && named !== region) {
    throw new CognitoOptionsError(setting, `is in ${named}, but the user pool id says ${region}; correct one of them`);
  }
}
