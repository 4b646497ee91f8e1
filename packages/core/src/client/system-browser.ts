import { spawn } from "node:child_process";
import type { Browser } from "./browser-sign-in.ts";

/** The command that opens a URL in the browser that the user has chosen. No shell: a URL is no command line. */
const commands: Readonly<Partial<Record<NodeJS.Platform, readonly [command: string, ...first: string[]]>>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/**
 * The machine's own browser.
 * @param show is told the URL as well, for when no window appears
 */
export const systemBrowser = (show: (url: URL) => void): Browser => ({
  open(url) {
    if (url.protocol !== "https:" && url.protocol !== "http:") {
      throw new TypeError(`the authorization endpoint is no web page: ${url.protocol}`);
    }
    show(url);
    const [command, ...first] = commands[process.platform] ?? ["xdg-open"];
    const child = spawn(command, [...first, url.href], { stdio: "ignore", detached: true });
    // Where there is no such command the user has the URL.
    child.once("error", () => {});
    child.unref();
  },
});

/**
 * Opens nothing: the user goes to the page by hand, also on another machine.
 * @param show is told the URL
 * @param askRedirect asks for the address that the browser ended on, for a browser on another machine
 */
export const manualBrowser = (
  show: (url: URL) => void,
  askRedirect?: (signal: AbortSignal) => Promise<string>,
): Browser => ({ open: show, ...(askRedirect ? { askRedirect } : {}) });
