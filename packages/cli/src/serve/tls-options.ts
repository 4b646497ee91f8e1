import type { SecureContextOptions, TlsOptions } from "node:tls";
import type { KeyPair } from "./certificate.ts";

/**
 * How the listener speaks TLS: 1.2 and 1.3 (RFC 9325 §3.1.1) with Node's own choice of ciphers, and HTTP/1.1, said so
 * that no client tries another protocol (RFC 7301).
 */
export const listenerTls = ({
  certificate,
  key,
}: KeyPair): SecureContextOptions & Pick<TlsOptions, "ALPNProtocols"> => ({
  cert: certificate,
  key,
  minVersion: "TLSv1.2",
  ALPNProtocols: ["http/1.1"],
});
