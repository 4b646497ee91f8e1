import { z } from "zod";

/**
 * URL of an upstream MCP server. Private and loopback addresses are allowed and plain http is too: an operator wrote
 * it, no request can change it.
 */
export const upstreamUrl = () =>
  z.string().transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const fail = (message: string) => {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    };
    if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) {
      return fail("write a full URL such as http://127.0.0.1:3001/mcp");
    }
    if (url.username || url.password) return fail("must not hold a user name or password");
    if (text.includes("#")) return fail("must have no fragment");
    return url.href;
  });
