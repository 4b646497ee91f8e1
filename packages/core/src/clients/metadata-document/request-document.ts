import { type GuardedAnswer, type GuardedFetch, GuardedFetchError } from "../../net/index.ts";
import type { RedirectPolicy } from "../redirect-uri.ts";
import { type Freshness, freshnessOf, revalidation } from "./freshness.ts";
import { type ClientDocument, DocumentFault, parseClientDocument } from "./parse-document.ts";

/** The draft asks for a bound and names this one (draft-ietf-oauth-client-id-metadata-document §6.6). */
const maxBytes = 5 * 1024;
const timeoutMs = 3_000;

/** A document that was found valid, with what its host said of its reuse. */
export interface ValidDocument {
  readonly body: string;
  readonly document: ClientDocument;
  readonly freshness: Freshness;
}

/**
 * Why there is no document to go by. `refused`: it may not be asked for; `invalid`, `gone`: its host has answered, and not
 * with a valid document; `unavailable`: nobody knows.
 */
export type NoDocumentKind = "refused" | "invalid" | "gone" | "unavailable";

/** The message is for the client's developer. It holds nothing that the host said but a status. */
export class NoDocument extends Error {
  override readonly name = "NoDocument";
  readonly kind: NoDocumentKind;
  constructor(kind: NoDocumentKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * Asks for a metadata document (draft-ietf-oauth-client-id-metadata-document §5).
 * @param before what was found valid earlier: its host is asked whether it still stands
 * Rejects with NoDocument
 */
export async function requestDocument(
  fetch: GuardedFetch,
  url: string,
  policy: RedirectPolicy,
  before: ValidDocument | undefined,
): Promise<ValidDocument> {
  const headers = before ? revalidation(before.freshness) : {};
  const answer = await fetch(url, { headers, accept: "application/json", maxBytes, timeoutMs }).catch(
    (error: unknown) => {
      throw error instanceof GuardedFetchError ? failed(error) : error;
    },
  );
  if (answer.status === 304 && before) return { ...before, freshness: freshnessOf(answer.headers, before.freshness) };
  checkStatus(answer.status);
  checkMediaType(answer);
  try {
    const document = parseClientDocument(answer.body, url, policy);
    return { body: answer.body, document, freshness: freshnessOf(answer.headers) };
  } catch (error) {
    throw error instanceof DocumentFault ? new NoDocument("invalid", error.message) : error;
  }
}

function failed(cause: GuardedFetchError): NoDocument {
  switch (cause.failure) {
    case "forbidden":
      return new NoDocument("refused", "its host is not one on the public internet", { cause });
    case "unavailable":
      return new NoDocument("unavailable", `it cannot be fetched: no complete answer within ${timeoutMs / 1000} s`, {
        cause,
      });
    case "too_large":
      return new NoDocument("invalid", `it is longer than ${maxBytes} bytes`, { cause });
    case "malformed":
      return new NoDocument("invalid", "it must be UTF-8, without a content coding", { cause });
  }
}

function checkStatus(status: number): void {
  if (status === 200) return;
  const text = `its host answers ${status}`;
  if (status === 404 || status === 410) throw new NoDocument("gone", text);
  if (status >= 300 && status < 400 && status !== 304) {
    throw new NoDocument("invalid", `${text}, and redirects are not followed`);
  }
  throw new NoDocument("unavailable", text);
}

function checkMediaType({ headers }: GuardedAnswer): void {
  const [type = ""] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  if (/^application\/(?:[a-z0-9!#$&^_.-]+\+)?json$/.test(type.trim())) return;
  throw new NoDocument("invalid", "its Content-Type must be application/json or end with +json");
}
