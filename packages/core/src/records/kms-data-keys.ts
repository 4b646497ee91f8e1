import { type DataKey, type DataKeys, isKmsKid, kmsKid, labelledHash, MissingKey } from "../crypto/index.ts";
import { type CallObserver, type Clock, observedCall, type RemoteOutcome, withDeadline } from "../runtime/index.ts";
import { StoreUnavailable } from "../store/store.ts";

/** A data key seals so many records at most, and for so long, ms. */
const mostRecords = 1_000;
const longestUse = 300_000;
/** How many opened data keys are kept in memory, and for how long, ms. */
const mostOpened = 1_000;
const longestKept = 300_000;
/** How long one call may take with its repeats, ms. */
const callTime = 2_000;

/** Bound to every data key: one that was made for something else does not open here. */
const EncryptionContext = { application: "sallyport", purpose: "records" };

/**
 * Data keys from AWS KMS (`GenerateDataKey`, `Decrypt`): the key-encryption key never leaves KMS. One data key seals up to
 * 1,000 records or for 5 minutes; opened ones are remembered as long, so that steady traffic asks KMS nothing. What KMS
 * does not answer is an outage ({@link StoreUnavailable}).
 * @param options.fallback the root secrets: they open records of before, and the active one names what is written
 */
export async function kmsDataKeys(options: {
  /** Id, alias or ARN of a symmetric key. */
  readonly keyId: string;
  readonly region: string | undefined;
  /** Of a local stand-in. */
  readonly endpoint: string | undefined;
  readonly clock: Clock;
  readonly fallback: DataKeys;
  readonly observer?: CallObserver | undefined;
}): Promise<DataKeys> {
  const { keyId: KeyId, clock, fallback } = options;
  const sdk = await loadKms();
  const client = new sdk.KMSClient({
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    requestHandler: { connectionTimeout: callTime },
  });
  const activeKid = kmsKid(labelledHash("kms-key", KeyId).slice(0, 8), fallback.activeKid);
  const opened = new Map<string, { readonly key: Uint8Array; readonly at: number }>();
  let current: { readonly key: Promise<DataKey>; readonly at: number; records: number } | undefined;

  const observed = <T>(call: () => Promise<T>): Promise<T> => {
    const { observer } = options;
    return observer === undefined ? call() : observedCall({ observer, clock }, "kms", call, () => "ok", failureOf);
  };

  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw new StoreUnavailable(`KMS did not serve a request (${error instanceof Error ? error.name : "unknown"}).`, {
        cause: error,
      });
    }
  };

  const generate = async (): Promise<DataKey> => {
    const command = new sdk.GenerateDataKeyCommand({ KeyId, KeySpec: "AES_256", EncryptionContext });
    const { Plaintext, CiphertextBlob } = await ask(() =>
      observed(() => withDeadline(callTime, (abortSignal) => client.send(command, { abortSignal }))),
    );
    if (!Plaintext || !CiphertextBlob) throw new StoreUnavailable("KMS answered without a data key.");
    const wrapped = Buffer.from(CiphertextBlob).toString("base64url");
    remember(wrapped, Plaintext);
    return { key: Plaintext, kid: activeKid, wrapped };
  };

  const remember = (wrapped: string, key: Uint8Array): void => {
    opened.set(wrapped, { key, at: clock.monotonic() });
    const oldest = opened.keys().next();
    if (opened.size > mostOpened && !oldest.done) opened.delete(oldest.value);
  };

  return {
    activeKid,
    seal() {
      const now = clock.monotonic();
      if (!current || current.records >= mostRecords || now - current.at >= longestUse) {
        const fresh = { key: generate(), at: now, records: 0 };
        current = fresh;
        // A failed call is not remembered: the next record asks again.
        fresh.key.catch(() => {
          if (current === fresh) current = undefined;
        });
      }
      current.records += 1;
      return current.key;
    },
    async open(place, kid, wrapped) {
      if (!isKmsKid(kid)) return fallback.open(place, kid, wrapped);
      const known = opened.get(wrapped);
      if (known && clock.monotonic() - known.at < longestKept) return known.key;
      opened.delete(wrapped);
      const CiphertextBlob = Buffer.from(wrapped, "base64url");
      try {
        // Without a key id KMS takes the one that the blob names: records of before a change of keys still open.
        const command = new sdk.DecryptCommand({ CiphertextBlob, EncryptionContext });
        const { Plaintext } = await observed(() =>
          withDeadline(callTime, (abortSignal) => client.send(command, { abortSignal })),
        );
        if (!Plaintext) return undefined;
        remember(wrapped, Plaintext);
        return Plaintext;
      } catch (error) {
        const name = error instanceof Error ? error.name : "unknown";
        if (name === "InvalidCiphertextException") return undefined;
        if (name === "DisabledException" || name === "KMSInvalidStateException" || name === "NotFoundException") {
          throw new MissingKey(`its key in AWS KMS is disabled or gone (${name})`);
        }
        throw new StoreUnavailable(`KMS did not serve a request (${name}).`, { cause: error });
      }
    },
  };
}

/** The SDK names throttling, and says whose fault it was where KMS answered. */
function failureOf(error: unknown): RemoteOutcome {
  if (!(error instanceof Error)) return "unreachable";
  if (error.name === "ThrottlingException") return "throttled";
  const fault = "$fault" in error ? error.$fault : undefined;
  if (fault === "client") return "refused";
  return fault === "server" ? "error" : "unreachable";
}

async function loadKms(): Promise<typeof import("@aws-sdk/client-kms")> {
  try {
    return await import("@aws-sdk/client-kms");
  } catch (cause) {
    throw new Error("the setting kms needs the AWS SDK; install it: npm install @aws-sdk/client-kms", { cause });
  }
}
