import { z } from "zod";

/** Where a server listens. */
export interface ListenAddress {
  /** Host name or address, without brackets. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** `host:port`, an IPv6 address in brackets. */
export const listenAddress = () =>
  z.string().transform((text, context): ListenAddress => {
    const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
    const host = parts?.[1] ?? parts?.[2];
    const port = Number(parts?.[3]);
    if (host === undefined || port > 65_535) {
      context.addIssue({ code: "custom", message: "write host:port, such as 127.0.0.1:8000 or [::1]:8000" });
      return z.NEVER;
    }
    return { host, port };
  });
