import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createServer } from "node:http";

/** A stand-in for the two calls of AWS KMS that are used: GenerateDataKey and Decrypt. */
export interface KmsServer {
  readonly url: string;
  /** Every call, in order. */
  readonly calls: { readonly operation: string; readonly body: Record<string, unknown> }[];
  /** Answers every call with this error instead, while it is set. */
  failure: { readonly status: number; readonly type: string } | undefined;
  /** Answers nothing. */
  silent: boolean;
  close(): Promise<void>;
}

/** Wraps as KMS does: under the key's own secret, with the encryption context as associated data. */
export async function startKms(): Promise<KmsServer> {
  process.env.AWS_ACCESS_KEY_ID ??= "test";
  process.env.AWS_SECRET_ACCESS_KEY ??= "test";
  process.env.AWS_REGION ??= "eu-central-1";
  const master = randomBytes(32);
  const aad = (context: unknown) => Buffer.from(JSON.stringify(context ?? {}));
  const wrap = (key: Buffer, context: unknown): Buffer => {
    const iv = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", master, iv).setAAD(aad(context));
    return Buffer.concat([iv, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  };
  const unwrap = (blob: Buffer, context: unknown): Buffer | undefined => {
    try {
      const cipher = createDecipheriv("aes-256-gcm", master, blob.subarray(0, 12), { authTagLength: 16 });
      cipher.setAAD(aad(context)).setAuthTag(blob.subarray(-16));
      return Buffer.concat([cipher.update(blob.subarray(12, -16)), cipher.final()]);
    } catch {
      return undefined;
    }
  };

  const state: Pick<KmsServer, "calls" | "failure" | "silent"> = { calls: [], failure: undefined, silent: false };
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const body: Record<string, unknown> = JSON.parse(Buffer.concat(chunks).toString("utf8"));
      const operation = String(req.headers["x-amz-target"]).split(".")[1] ?? "";
      state.calls.push({ operation, body });
      const answer = (status: number, value: object): void => {
        res.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(value));
      };
      if (state.silent) return;
      if (state.failure) return answer(state.failure.status, { __type: state.failure.type });
      if (operation === "GenerateDataKey") {
        const key = randomBytes(32);
        const CiphertextBlob = wrap(key, body.EncryptionContext).toString("base64");
        return answer(200, { KeyId: body.KeyId, Plaintext: key.toString("base64"), CiphertextBlob });
      }
      const key = unwrap(Buffer.from(String(body.CiphertextBlob), "base64"), body.EncryptionContext);
      if (!key) return answer(400, { __type: "InvalidCiphertextException" });
      answer(200, { KeyId: "key", Plaintext: key.toString("base64") });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    close: (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}
