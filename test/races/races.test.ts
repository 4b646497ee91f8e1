import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createWalker, signIn, type Walker } from "../support/browser-walk.ts";
import { goodClaims } from "../support/client-keys.ts";
import { demoUser } from "../support/environment.ts";
import {
  authorizeUrl,
  type PkcePair,
  pkce,
  postToken,
  redeem,
  refresh,
  register,
  type TestClient,
  tokenAnswer,
} from "../support/oauth-client.ts";
import { describeWithRedis } from "../support/redis-server.ts";
import { isSoak } from "../support/soak.ts";
import { type Contest, contenders, inOneProcess, overDynamo, overRedis, overSqlite } from "./contest.ts";

const minute = 60_000;

/** `npm test` has a round with all processes and, where that is quick, one with fewer. */
const rounds = (few: number): number => (isSoak ? 200 : few);
const longest = isSoak ? 3_600_000 : 60_000;

const losers = Array.from({ length: contenders - 1 });
const everyone = Array.from({ length: contenders });

const kinds: readonly (readonly [string, typeof describe.skip, number, () => Promise<Contest>])[] = [
  ["sqlite, from several processes", describe, rounds(2), () => overSqlite(4)],
  ["redis, from several processes", describeWithRedis, rounds(2), () => overRedis(isSoak ? 4 : 3)],
  ["dynamodb, from several processes", describe, rounds(1), () => overDynamo(isSoak ? 4 : 2)],
  ["memory, in one process", describe, rounds(1), inOneProcess],
];

for (const [name, suite, times, prepare] of kinds)
  suite(`a hundred at once over ${name}`, () => {
    let contest: Contest;
    beforeAll(async () => {
      contest = await prepare();
    });

    /** What each answered: its status, and the error's name where there is one. */
    const told = async (responses: readonly Response[]) => {
      const answers = await Promise.all(responses.map(tokenAnswer));
      const lines = responses.map(({ status }, n) => `${status} ${answers[n]?.error ?? "ok"}`);
      return { lines: lines.toSorted(), winner: answers.find(({ error }) => error === undefined), answers };
    };

    async function newCode(): Promise<{ client: TestClient; pair: PkcePair; code: string }> {
      const { env } = contest;
      const client = await register(env.url);
      const pair = pkce();
      const location = new URL(await signIn(authorizeUrl(env.url, client, pair), demoUser(env, "alice")));
      return { client, pair, code: location.searchParams.get("code") ?? "" };
    }

    /** A sign-in up to where Cognito sends the browser back: the address, and the browser with its cookies. */
    async function atCallback(): Promise<{ client: TestClient; pair: PkcePair; walker: Walker; callback: URL }> {
      const { env } = contest;
      const client = await register(env.url);
      const pair = pkce();
      const walker = createWalker();
      const { username, password } = demoUser(env, "alice");
      const consent = await walker.get(authorizeUrl(env.url, client, pair));
      const login = await walker.submit(consent, { decision: "approve" });
      const isBack = (location: string) => location.startsWith(`${env.url}/auth/callback`);
      const back = await walker.submit(login, { username, password }, isBack);
      return { client, pair, walker, callback: new URL(back.location ?? "") };
    }

    const cognitoCalls = (grantType: string): number =>
      contest.env.cognito.requests.filter((request) => request.grantType === grantType).length;

    const eachRound = async (work: (round: number) => Promise<void>): Promise<void> => {
      for (let round = 0; round < times; round += 1) await work(round);
    };

    test("one code: one redemption, and the grant of the winner stands", { timeout: longest }, () =>
      eachRound(async (round) => {
        const { client, pair, code } = await newCode();
        const { lines, winner } = await told(await contest.contend(round, (url) => redeem(url, client, code, pair)));
        expect(lines).toEqual(["200 ok", ...losers.map(() => "400 invalid_grant")]);
        const { env } = contest;
        expect((await refresh(env.url, client, winner?.refresh_token ?? "")).status).toBe(200);
      }),
    );

    test("one transaction: one code; the rest get the page that says so", { timeout: longest }, () =>
      eachRound(async (round) => {
        const { env } = contest;
        const { client, pair, walker, callback } = await atCallback();
        const cookie = [...walker.cookies]
          .flatMap(([key, value]) => (key.startsWith("localhost ") ? [`${key.split(" ")[1]}=${value}`] : []))
          .join("; ");
        const before = cognitoCalls("authorization_code");
        const responses = await contest.contend(round, (url) =>
          fetch(`${url}${callback.pathname}${callback.search}`, {
            redirect: "manual",
            headers: { cookie, accept: "text/html" },
          }),
        );
        expect(responses.map(({ status }) => status).toSorted()).toEqual([302, ...losers.map(() => 400)]);
        expect(cognitoCalls("authorization_code") - before).toBe(1);
        for (const response of responses) {
          const page = await response.text();
          if (response.status === 400) expect(page).toContain("It was finished or answered already");
        }
        const location = responses.find(({ status }) => status === 302)?.headers.get("location") ?? "";
        const code = new URL(location).searchParams.get("code") ?? "";
        expect((await redeem(env.url, client, code, pair)).status).toBe(200);
      }),
    );

    test("one assertion: one token; for the rest it is used", { timeout: longest }, () =>
      eachRound(async (round) => {
        const { env, robot } = contest;
        const assertion = robot.keys.assertion(goodClaims(robot.id, env.url, env.clock.now()));
        const form = { grant_type: "client_credentials", resource: `${env.url}/clock/mcp`, ...assertion };
        const { lines, answers } = await told(await contest.contend(round, (url) => postToken(url, form)));
        expect(lines).toEqual(["200 ok", ...losers.map(() => "401 invalid_client")]);
        expect(answers.filter(({ access_token }) => access_token !== undefined)).toHaveLength(1);
      }),
    );

    test("one refresh token: one rotation, one successor for all, one call to Cognito", { timeout: longest }, () =>
      eachRound(async (round) => {
        const { env } = contest;
        const { client, pair, code } = await newCode();
        const { refresh_token: token } = await tokenAnswer(await redeem(env.url, client, code, pair));
        // Cognito's word has run out, and whoever asks for it takes long enough for the others to want to.
        await contest.advance(16 * minute);
        env.cognito.faults.set({ path: "/oauth2/token", grantType: "refresh_token", latencyMs: 100 });
        onTestFinished(() => env.cognito.faults.clear());
        const before = cognitoCalls("refresh_token");
        const { lines, answers } = await told(await contest.contend(round, (url) => refresh(url, client, token)));
        expect(lines).toEqual(everyone.map(() => "200 ok"));
        const successors = [...new Set(answers.map(({ refresh_token }) => refresh_token))];
        expect(successors).toHaveLength(1);
        expect(cognitoCalls("refresh_token") - before).toBe(1);

        // The second of its family, whoever asked: `<grant>.<n>.…`
        const [successor = ""] = successors;
        expect(successor.split(".")[1]).toBe("2");
        expect((await refresh(env.url, client, successor)).status).toBe(200);
        const late = await told([await refresh(env.url, client, token)]);
        expect(late.lines).toEqual(["400 invalid_grant"]);
        const again = await tokenAnswer(await refresh(env.url, client, successor));
        expect((await refresh(env.url, client, again.refresh_token)).status).toBe(200);
      }),
    );
  });
