import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock, Random, Reason } from "sallyport";

/** What is known of a request besides what its line has anyway. */
export interface AccessDetails {
  readonly server?: string | undefined;
  /** As the audit trail names them. */
  readonly user?: string | undefined;
  readonly reason?: Reason | undefined;
  /** Id of the trace, if it is recorded. */
  readonly trace?: string | undefined;
}

/** One JSON line for each request. */
export interface AccessLog {
  /** A request has come. @returns to be called at the end of its response */
  begin(req: IncomingMessage, res: ServerResponse): (details: AccessDetails) => void;
}

/** @param options.addressOf who makes a request, by the rules for trusted proxies */
export function createAccessLog(options: {
  readonly write: (line: string) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly addressOf: (req: IncomingMessage) => string | undefined;
}): AccessLog {
  const { clock } = options;
  const prefix = Buffer.from(options.random.bytes(6)).toString("base64url");
  let last = 0;
  return {
    begin(req, res) {
      const startedAt = clock.monotonic();
      const id = `${prefix}-${(++last).toString(36)}`;
      const { socket } = req;
      // Asked now: a socket that is gone has no address any more.
      const address = options.addressOf(req);
      const before = socket.bytesWritten;
      return ({ server, user, reason, trace }) => {
        const line = {
          time: new Date(clock.now()).toISOString(),
          id,
          method: req.method,
          path: shownPath(req.url ?? ""),
          status: res.headersSent ? res.statusCode : 0,
          ms: Math.round((clock.monotonic() - startedAt) * 1000) / 1000,
          bytes: socket.bytesWritten - before,
          address,
          server,
          user,
          reason,
          trace,
        };
        options.write(JSON.stringify(line));
      };
    },
  };
}

const longestPath = 256;
/** What looks like a token: long, and of the characters that tokens are made of. */
const secretLike = /[A-Za-z0-9_.~+=%-]{32,}/g;

/** A path as it may be written down: without its query, and with whatever could be a secret in it masked. */
export function shownPath(target: string): string {
  // A whole URL may hold a user name and a password.
  if (!target.startsWith("/")) return "***";
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  const masked = path.replace(secretLike, "***");
  return masked.length <= longestPath ? masked : `${masked.slice(0, longestPath)}…`;
}
