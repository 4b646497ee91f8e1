import { randomUUID } from "node:crypto";
import type { OAuthClientInformationMixed, OAuthDiscoveryState, OAuthTokens } from "@modelcontextprotocol/client";

/** What the SDK's clients, 1.x and 2.x alike, ask of an `OAuthClientProvider`; the browser is the caller. */
export interface InMemoryProvider {
  readonly redirectUrl: string;
  readonly clientMetadata: {
    client_name: string;
    redirect_uris: string[];
    grant_types: string[];
    response_types: string[];
    token_endpoint_auth_method: string;
  };
  state(): string;
  clientInformation(): OAuthClientInformationMixed | undefined;
  saveClientInformation(information: OAuthClientInformationMixed): void;
  tokens(): OAuthTokens | undefined;
  saveTokens(tokens: OAuthTokens): void;
  redirectToAuthorization(url: URL): void;
  saveCodeVerifier(verifier: string): void;
  codeVerifier(): string;
  saveDiscoveryState(state: OAuthDiscoveryState): void;
  discoveryState(): OAuthDiscoveryState | undefined;
  /** The URL that a browser would have been opened with, once for each time. */
  takeAuthorizationUrl(): string;
  /** How often tokens were stored. */
  readonly timesSaved: () => number;
  readonly lastState: () => string | undefined;
}

/** Keeps everything in memory and opens no browser. */
export function inMemoryProvider(name: string): InMemoryProvider {
  const redirectUrl = "http://127.0.0.1:9/oauth/callback";
  let information: OAuthClientInformationMixed | undefined;
  let tokens: OAuthTokens | undefined;
  let saved = 0;
  let verifier: string | undefined;
  let state: string | undefined;
  let discovered: OAuthDiscoveryState | undefined;
  let authorizationUrl: string | undefined;
  return {
    redirectUrl,
    clientMetadata: {
      client_name: name,
      redirect_uris: [redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    state: () => {
      state = randomUUID();
      return state;
    },
    clientInformation: () => information,
    saveClientInformation: (given) => {
      information = given;
    },
    tokens: () => tokens,
    saveTokens: (given) => {
      tokens = given;
      saved += 1;
    },
    redirectToAuthorization: (url) => {
      authorizationUrl = url.href;
    },
    saveCodeVerifier: (given) => {
      verifier = given;
    },
    codeVerifier: () => {
      if (verifier === undefined) throw new Error("no code verifier was saved");
      return verifier;
    },
    saveDiscoveryState: (given) => {
      discovered = given;
    },
    discoveryState: () => discovered,
    takeAuthorizationUrl: () => {
      const url = authorizationUrl;
      if (url === undefined) throw new Error("no browser was asked for");
      authorizationUrl = undefined;
      return url;
    },
    timesSaved: () => saved,
    lastState: () => state,
  };
}
