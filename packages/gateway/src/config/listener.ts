import { byteSize, duration } from "sallyport";
import { z } from "zod";

/** The certificate that the listener shows. */
export const tls = z
  .strictObject({
    certificate: z
      .string()
      .min(1)
      .describe(
        "PEM file with the certificate and the chain behind it, such as fullchain.pem; relative to the settings file.",
      ),
    key: z
      .string()
      .min(1)
      .describe("PEM file with its private key, without passphrase; relative to the settings file."),
  })
  .describe("Makes the listener speak https. Both files are read again when they change.");

/** What one peer may cost. The defaults suit a listener on the open internet and one behind a load balancer. */
export const connections = z
  .strictObject({
    max: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(20_000)
      .describe("The most open connections, over all workers; one more is closed at once."),
    maxPerAddress: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(1000)
      .describe(
        "The most from one address (IPv6: one /64), over all workers. Not counted on loopback, nor where trusted_proxies names a proxy.",
      ),
    headerSize: byteSize({ min: "4KiB", max: "1MiB" })
      .prefault("16KiB")
      .describe("The most bytes that the headers of a request may have, its first line included."),
    headerTimeout: duration({ min: "100ms", max: "5m" })
      .prefault("15s")
      .describe("How long a TLS handshake, and then the headers of a request, may take to arrive."),
    requestTimeout: duration({ min: "100ms", max: "1h" })
      .prefault("2m")
      .describe("How long a request may take to arrive, headers and body."),
    writeTimeout: duration({ min: "100ms", max: "1h" })
      .prefault("60s")
      .describe("How long a client may take nothing of what waits for it. A stream without news is not concerned."),
    keepAlive: duration({ min: "1s", max: "2h" })
      .prefault("90s")
      .describe(
        "How long a connection without a request is kept: longer than the idle timeout of whatever is in front.",
      ),
  })
  .describe("Bounds of the connections to the listener.");
