import { expect } from "vitest";
import { demoUser } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, refresh, register, type TestClient } from "../support/oauth-client.ts";
import type { Lane } from "./lane.ts";
import {
  atConsent,
  codeIn,
  expectInvalidGrant,
  expectOneFamily,
  expectTokens,
  newCode,
  newSession,
  type Session,
  type Step,
  statusOf,
} from "./step.ts";

const minute = 60_000;
/** Within which every replica knows of a kill switch. */
const checkInterval = 15_000;

/** The steps of a grant's life, from a client's registration to the revocation. */
export const grantSteps: readonly Step[] = [
  {
    name: "registration",
    async prepare(lane) {
      let known: TestClient | undefined;
      return {
        async run() {
          known = await register(lane.url);
        },
        async after() {
          const client = known ?? (await register(lane.url));
          expect((await atConsent(lane, client)).page.status).toBe(200);
        },
      };
    },
  },
  {
    name: "authorization request",
    async prepare(lane) {
      const client = await register(lane.url);
      const show = () => fetch(authorizeUrl(lane.url, client, pkce()), { headers: { accept: "text/html" } });
      return {
        run: show,
        async after() {
          expect((await show()).status).toBe(200);
        },
      };
    },
  },
  {
    name: "consent",
    async prepare(lane) {
      const { client, pair, walker, page } = await atConsent(lane);
      const atCognito = (location: string) => location.startsWith(lane.env.cognito.url);
      const approve = () => walker.submit(page, { decision: "approve" }, atCognito);
      return {
        run: approve,
        async after() {
          // The user presses the button again, and the sign-in goes on.
          const { location = "" } = await approve();
          const login = await walker.get(location);
          const { username, password } = demoUser(lane.env, "alice");
          const atClient = (next: string) => next.startsWith(client.redirectUri);
          const done = await walker.submit(login, { username, password }, atClient);
          const { refresh_token } = await expectTokens(await redeem(lane.url, client, codeIn(done.location), pair));
          await expectOneFamily(lane, client, refresh_token);
        },
      };
    },
  },
  {
    name: "callback",
    promises: true,
    async prepare(lane) {
      // On the web, where an approval is remembered too.
      const redirectUri = "https://app.example/callback";
      const known = { ...(await register(lane.url, { redirect_uris: [redirectUri] })), redirectUri };
      const { client, pair, walker, page } = await atConsent(lane, known);
      const login = await walker.submit(page, { decision: "approve" });
      const { username, password } = demoUser(lane.env, "alice");
      const atCallback = (location: string) => location.startsWith(`${lane.url}/auth/callback`);
      const back = await walker.submit(login, { username, password }, atCallback);
      const atClient = (location: string) => location.startsWith(client.redirectUri);
      let given: string | undefined;
      return {
        async run() {
          given = (await walker.get(back.location ?? "", atClient)).location;
        },
        async after() {
          // Without an answer the user loads the page again.
          const again = given === undefined ? await walker.get(back.location ?? "", atClient) : undefined;
          const location = given ?? again?.location;
          if (location !== undefined) {
            const { refresh_token } = await expectTokens(await redeem(lane.url, client, codeIn(location), pair));
            await expectOneFamily(lane, client, refresh_token);
            return;
          }
          expect(again?.status).toBe(400);
          // A code that nobody was given opens nothing, and is soon gone.
          const left = await lane.grantsOf(client.clientId);
          expect(left.filter(({ state }) => state !== "code_issued")).toEqual([]);
          await lane.advance(2 * minute);
          expect(await lane.grantsOf(client.clientId)).toEqual([]);
        },
      };
    },
  },
  {
    name: "redemption",
    promises: true,
    async prepare(lane) {
      const { client, pair, code } = await newCode(lane);
      let answer: Response | undefined;
      return {
        async run() {
          answer = await redeem(lane.url, client, code, pair);
        },
        async after() {
          const [grant] = await lane.grantsOf(client.clientId);
          const again = await redeem(lane.url, client, code, pair);
          if (answer) {
            await expectInvalidGrant(again);
            await expectOneFamily(lane, client, (await expectTokens(answer)).refresh_token);
          } else if (grant?.state === "code_issued") {
            await expectOneFamily(lane, client, (await expectTokens(again)).refresh_token);
          } else {
            // The answer is lost and its tokens with it: the code must not give others.
            await expectInvalidGrant(again);
            expect((await lane.grantsOf(client.clientId)).map(({ refresh }) => refresh?.n)).toEqual([1]);
          }
        },
      };
    },
  },
  {
    name: "refresh",
    promises: true,
    async prepare(lane) {
      const session = await newSession(lane);
      const { run, repeat } = refreshing(lane, session);
      return {
        run,
        after: async () => expectOneFamily(lane, session.client, await repeat(), [session.tokens.refresh_token]),
      };
    },
  },
  {
    name: "refresh with a renewal at Cognito",
    promises: true,
    async prepare(lane) {
      const session = await newSession(lane);
      await lane.advance(16 * minute);
      const { run, repeat } = refreshing(lane, session);
      return {
        run,
        async after() {
          // The lease of the dead is over; Cognito still takes a token that it has rotated.
          await lane.advance(11_000);
          const newest = await repeat();
          // What is stored of Cognito's tokens by now is good for more than this once.
          await lane.advance(16 * minute);
          await expectOneFamily(lane, session.client, newest);
        },
      };
    },
  },
  {
    name: "revocation",
    promises: true,
    async prepare(lane) {
      const { client, tokens } = await newSession(lane);
      const form = new URLSearchParams({ token: tokens.refresh_token, client_id: client.clientId });
      const revoke = () => fetch(`${lane.url}/revoke`, { method: "POST", body: form });
      let answered = false;
      return {
        async run() {
          answered = (await revoke()).status === 200;
        },
        async after() {
          const stateNow = async () => (await lane.grantsOf(client.clientId)).map(({ state }) => state);
          const [state] = await stateNow();
          if (answered) expect(state).toBe("ended");
          if (state === "live") expect(await statusOf(lane, tokens.access_token)).toBe(200);
          else expect(await statusOf(lane, tokens.access_token)).toBe(401);
          expect((await revoke()).status).toBe(200);
          expect(await stateNow()).toEqual(["ended"]);
          await expectInvalidGrant(await refresh(lane.url, client, tokens.refresh_token));
          expect(await statusOf(lane, tokens.access_token)).toBe(401);
        },
      };
    },
  },
  {
    name: "kill switch",
    promises: true,
    async prepare(lane) {
      const { client, tokens } = await newSession(lane, "bob");
      const claims = Buffer.from(tokens.access_token.split(".")[1] ?? "", "base64url").toString();
      const sub = /"sub":"([^"]+)"/.exec(claims)?.[1] ?? "";
      const end = () => lane.gateway().endGrantsOf(sub);
      let answered = false;
      return {
        async run() {
          await end();
          answered = true;
        },
        async after() {
          if (!answered) await end();
          await lane.advance(checkInterval);
          expect(await statusOf(lane, tokens.access_token)).toBe(401);
          await expectInvalidGrant(await refresh(lane.url, client, tokens.refresh_token));
          const fresh = await newSession(lane, "bob");
          expect(await statusOf(lane, fresh.tokens.access_token)).toBe(200);
        },
      };
    },
  },
];

function refreshing(lane: Lane, { client, tokens }: Session) {
  const presented = tokens.refresh_token;
  let answer: Response | undefined;
  return {
    async run() {
      answer = await refresh(lane.url, client, presented);
    },
    /** The client asks again: it gets what was given or written before, each time the same. Answers the newest token. */
    async repeat(): Promise<string> {
      const written = (await lane.grantsOf(client.clientId))[0]?.refresh;
      const again = (await expectTokens(await refresh(lane.url, client, presented))).refresh_token;
      if (answer) expect(again).toBe((await expectTokens(answer)).refresh_token);
      if (written?.n === 2) expect(lane.hashOf(again)).toBe(written.hash);
      expect((await expectTokens(await refresh(lane.url, client, presented))).refresh_token).toBe(again);
      const newest = (await expectTokens(await refresh(lane.url, client, again))).refresh_token;
      await expectInvalidGrant(await refresh(lane.url, client, presented));
      return newest;
    },
  };
}
