import { setTimeout as after } from "node:timers/promises";
import type { KeyStatus, RotationMode } from "sallyport";
import { expect } from "vitest";
import { refresh } from "../support/oauth-client.ts";
import type { Lane } from "./lane.ts";
import { expectTokens, newSession, type Session, type Step, statusOf } from "./step.ts";

const minute = 60_000;

type Change = KeyStatus["change"]["what"];

/** The changes of the signing keys: by the schedule, with any request, and on an operator's word. */
export const rotationSteps: readonly Step[] = [
  { ...scheduled("the next signing key is published", "successor_published"), alike: true },
  scheduled("the next signing key takes over", "signs"),
  { ...scheduled("a retired signing key goes", "goes"), alike: true },
  { ...ordered("keys rotate", "orderly"), alike: true },
  { ...ordered("keys rotate --now --keep", "at_once_keeping_old"), alike: true },
  ordered("keys rotate --now", "at_once"),
];

function scheduled(name: string, what: Change): Step {
  return {
    name,
    async prepare(lane) {
      await untilAlmost(lane, what);
      const session = await newSession(lane);
      const before = await ringOf(lane);
      await lane.advance(minute);
      return {
        run: () => somebodyAsks(lane, before),
        async after() {
          // Whoever comes next brings the change about, if it was not written.
          await somebodyAsks(lane, before);
          expect(await ringOf(lane)).not.toBe(before);
          await expectServed(lane);
          await expectGood(lane, session);
        },
      };
    },
  };
}

function ordered(name: string, mode: RotationMode): Step {
  return {
    name,
    async prepare(lane) {
      // Then there is no next key yet.
      await untilAlmost(lane, "successor_published");
      const session = await newSession(lane);
      const before = await ringOf(lane);
      return {
        run: () => lane.gateway().rotate(mode),
        async after() {
          if ((await ringOf(lane)) === before) {
            expect(await statusOf(lane, session.tokens.access_token)).toBe(200);
            await lane.gateway().rotate(mode);
          }
          expect(await ringOf(lane)).not.toBe(before);
          await lane.advance(minute);
          await expectServed(lane);
          if (mode !== "at_once") return expectGood(lane, session);
          expect(await statusOf(lane, session.tokens.access_token)).toBe(401);
          const { access_token } = await expectTokens(
            await refresh(lane.url, session.client, session.tokens.refresh_token),
          );
          expect(await statusOf(lane, access_token)).toBe(200);
        },
      };
    },
  };
}

const keysOf = async (lane: Lane): Promise<readonly KeyStatus[]> => (await lane.keys.status())?.keys ?? [];

/** The keys and their states, to see a change by. */
const ringOf = async (lane: Lane): Promise<string> =>
  (await keysOf(lane)).map(({ kid, state }) => `${kid} ${state}`).join(", ");

const publishedKids = async (lane: Lane): Promise<readonly string[]> => {
  const response = await fetch(`${lane.url}/.well-known/jwks.json`);
  return [...(await response.text()).matchAll(/"kid":"([^"]+)"/g)].map(([, kid = ""]) => kid);
};

/** A request brings about what is due; it is written in the background, so that this waits for it for a while. */
async function somebodyAsks(lane: Lane, before: string): Promise<void> {
  await publishedKids(lane);
  for (let left = 100; left > 0 && (await ringOf(lane)) === before; left -= 1) await after(10);
}

/** Lets time pass until a minute before a change is due. */
async function untilAlmost(lane: Lane, what: Change): Promise<void> {
  for (;;) {
    const keys = await keysOf(lane);
    const next = Math.min(...keys.map(({ change }) => change.at));
    const isWanted = keys.some(({ change }) => change.at === next && change.what === what);
    const wait = next - lane.env.clock.now();
    if (isWanted && wait > minute) return lane.advance(wait - minute);
    const before = await ringOf(lane);
    await lane.advance(Math.max(0, wait) + 1);
    await somebodyAsks(lane, before);
  }
}

/** One key signs, and what is published is what is stored. */
async function expectServed(lane: Lane): Promise<void> {
  const keys = await keysOf(lane);
  expect(keys.filter(({ state }) => state === "active")).toHaveLength(1);
  expect((await publishedKids(lane)).toSorted()).toEqual(keys.map(({ kid }) => kid).toSorted());
}

/** Nobody has noticed: what was signed before counts, and what is signed now. */
async function expectGood(lane: Lane, { client, tokens }: Session): Promise<void> {
  expect(await statusOf(lane, tokens.access_token)).toBe(200);
  const { access_token } = await expectTokens(await refresh(lane.url, client, tokens.refresh_token));
  expect(await statusOf(lane, access_token)).toBe(200);
}
