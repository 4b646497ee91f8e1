import { z } from "zod";

const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const hostForm = new RegExp(`^(?=.{1,253}(?::|$))${label}(?:\\.${label})*(?::[1-9]\\d{0,4})?$`);

/**
 * A public host name as browsers and clients send it: small letters, ASCII (RFC 5890 A-labels for other scripts), a
 * port only after `:`. No address: a certificate, and a cookie border, need a name.
 */
export const hostName = () =>
  z.string().transform((text, context) => {
    const fail = (message: string) => {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    };
    const url = /^[^/?#@\\\s]+$/.test(text) && URL.canParse(`ws://${text}`) ? new URL(`ws://${text}`) : undefined;
    if (url === undefined) return fail("write a host name alone, such as notes.mcp.example.com");
    if (/^\[|^\d+(?:\.\d+){3}$/.test(url.hostname)) return fail("must be a name and no address");
    if (url.hostname === "localhost") return fail("is taken for the gateway itself; write one such as notes.localhost");
    // The parser makes letters small, and turns other scripts into what is sent.
    const sent = url.port === "" ? url.hostname : url.host;
    if (!hostForm.test(sent)) return fail("write a host name alone, such as notes.mcp.example.com");
    if (sent !== text && `${url.hostname}:80` !== text) return fail(`write ${sent}, which is what clients send`);
    return text;
  });
