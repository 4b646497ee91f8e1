import { z } from "zod";
import type { Clock } from "../runtime.ts";

const faultShape = z.strictObject({
  path: z.string().startsWith("/").optional(),
  method: z.string().optional(),
  grantType: z.string().optional(),
  latencyMs: z.number().min(0).max(600_000).optional(),
  status: z.number().int().min(200).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.unknown().optional(),
  dropConnection: z.boolean().optional(),
  when: z.enum(["before", "after"]).optional(),
  times: z.number().int().min(1).optional(),
});

/** Something that goes wrong with requests. */
export interface Fault {
  /** Exact path; default every path. */
  readonly path?: string;
  /** Default every method. */
  readonly method?: string;
  /** Only token requests of this grant type. */
  readonly grantType?: string;
  /** Waits this long in real time, milliseconds. Alone it only slows the request down. */
  readonly latencyMs?: number;
  /** Answers this status instead of the real answer. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, or anything else to be sent as JSON. Default empty. Needs `status`. */
  readonly body?: unknown;
  /** Closes the connection without an answer. */
  readonly dropConnection?: boolean;
  /** `after`: the request has its effect first, and only its answer is lost or replaced. Default `before`. */
  readonly when?: "before" | "after";
  /** How many requests it meets before it ends by itself; default all. */
  readonly times?: number;
}

/** Faults for tests. Of several that fit a request the one set last counts. */
export interface Faults {
  /** Sets a fault; one of the same path, method and grant type is replaced. @throws Error that names a wrong member */
  set(fault: Fault): void;
  /**
   * Answers as if throttled. What Cognito's domain sends then is not documented: 429 with an empty body is an
   * assumption, so choose what your code should bear.
   */
  throttle(options?: {
    path?: string;
    status?: number;
    headers?: Record<string, string>;
    body?: unknown;
    times?: number;
  }): void;
  /** Moves the emulator's clock, milliseconds, relative to the one it was given. Tokens, codes, sessions and `Date` follow it. */
  setClockOffset(milliseconds: number): void;
  /** Takes every fault away, and the clock's offset. */
  clear(): void;
}

/** What the server needs of the faults. */
export interface FaultSource {
  readonly faults: Faults;
  /** The given clock with the offset. */
  readonly clock: Clock;
  /** The fault for a request, which is counted as met. */
  next(request: { path: string; method: string; grantType: string | undefined }): Fault | undefined;
}

export function createFaults(base: Clock): FaultSource {
  let active: { fault: Fault; left: number }[] = [];
  let offset = 0;
  const sameTarget = (left: Fault, right: Fault): boolean =>
    left.path === right.path && left.method === right.method && left.grantType === right.grantType;

  const faults: Faults = {
    set(fault) {
      const parsed = faultShape.safeParse(fault);
      if (!parsed.success) throw new Error(`This fault cannot be set: ${z.prettifyError(parsed.error)}`);
      if (fault.status === undefined && (fault.body !== undefined || fault.headers !== undefined)) {
        throw new Error("This fault cannot be set: body and headers need a status");
      }
      if (fault.status !== undefined && fault.dropConnection === true) {
        throw new Error("This fault cannot be set: give either status or dropConnection");
      }
      active = active.filter((other) => !sameTarget(other.fault, fault));
      active.push({ fault: { ...fault }, left: fault.times ?? Infinity });
    },
    throttle: (options = {}) => faults.set({ status: 429, ...options }),
    setClockOffset(milliseconds) {
      if (!Number.isFinite(milliseconds)) throw new Error("The clock's offset must be a number of milliseconds");
      offset = milliseconds;
    },
    clear() {
      active = [];
      offset = 0;
    },
  };

  return {
    faults,
    clock: { now: () => base.now() + offset },
    next({ path, method, grantType }) {
      const met = active.findLast(
        ({ fault }) =>
          (fault.path === undefined || fault.path === path) &&
          (fault.method === undefined || fault.method.toUpperCase() === method) &&
          (fault.grantType === undefined || fault.grantType === grantType),
      );
      if (met === undefined) return undefined;
      met.left -= 1;
      if (met.left <= 0) active = active.filter((other) => other !== met);
      return met.fault;
    },
  };
}
