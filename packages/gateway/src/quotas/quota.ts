import { duration } from "sallyport";
import { z } from "zod";

/** What a quota tells apart. */
const quotaParts = ["principal", "client", "server", "tool"] as const;

const names = (of: string) => z.array(z.string().min(1).max(256)).min(1).optional().describe(of);

/** How often something may be asked for in a time. */
export const quota = z.strictObject({
  per: z
    .array(z.enum(quotaParts))
    .min(1)
    .refine((parts) => new Set(parts).size === parts.length, "name each of them once")
    .describe(
      "What has a count of its own: principal (user or machine), client, server, tool, or several of them together. With tool only calls of tools count.",
    ),
  limit: z.int().min(1).max(1_000_000_000).describe("How many requests may pass in a window."),
  window: duration({ min: "1s", max: "31d" })
    .prefault("1m")
    .describe("How long a window is. Windows follow each other on the clock: days begin at midnight UTC."),
  servers: names("Only requests to these servers; to all when left out."),
  tools: names("Only calls of tools with these names; every request when left out."),
  groups: names("Only requests of users in one of these Cognito groups; with machines, those too."),
  machines: names("Only requests of these machines, by client id. Everyone when groups and machines are left out."),
});

/** How often something may be asked for in a time. */
export type QuotaRule = z.output<typeof quota>;
