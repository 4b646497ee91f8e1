// One of several processes that need a token at the same moment: waits for a line on stdin, then says what it got.
import { once } from "node:events";
import { systemClock } from "sallyport";
import { signInProvider } from "sallyport/client";

const [serverUrl = "", folder = "", ahead = "0"] = process.argv.slice(2);
let asked = 0;
const provider = signInProvider({
  serverUrl,
  folder,
  clientName: "Test program",
  browser: {
    open() {
      throw new Error("no browser here");
    },
  },
  runtime: {
    clock: { ...systemClock, now: () => Date.now() + Number(ahead) },
    fetch: (input, init) => {
      if (init?.method === "POST") asked += 1;
      return fetch(input, init);
    },
  },
});
process.stdout.write("ready\n");
await once(process.stdin, "data");
const tokens = await provider.tokens();
process.stdout.write(
  `${JSON.stringify({ accessToken: tokens?.access_token, refreshToken: tokens?.refresh_token, asked })}\n`,
);
process.stdin.destroy();
