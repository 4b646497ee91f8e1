import { expect, test } from "vitest";
import { systemClock } from "../../runtime/index.ts";
import { createFetchGovernor } from "./fetch-governor.ts";

function governed() {
  let now = 0;
  const governor = createFetchGovernor<string>({ clock: { ...systemClock, monotonic: () => now } });
  let fetched = 0;
  const fetch = async () => `answer ${++fetched}`;
  return {
    run: (url: string, known = false, by: () => Promise<string> = fetch) => governor.run(url, known, by),
    fetched: () => fetched,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const refusal = (promise: Promise<unknown>) =>
  expect(promise).rejects.toMatchObject({ reason: "rate_limited", status: 429 });

test("those who want the same URL at once share one fetch; who comes after it has ended gets another", async () => {
  const { run, fetched } = governed();
  const url = "https://a.example/c";
  expect(await Promise.all([run(url), run(url), run(url)])).toEqual(["answer 1", "answer 1", "answer 1"]);
  expect(await run(url)).toBe("answer 2");
  expect(fetched()).toBe(2);
});

test("a failure is shared too, and is over with the fetch", async () => {
  const { run } = governed();
  const url = "https://a.example/c";
  const fail = () => Promise.reject(new Error("down"));
  const both = await Promise.allSettled([run(url, false, fail), run(url)]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await run(url)).toBe("answer 1");
});

test("one origin has ten a minute, whatever the path", async () => {
  const { run, fetched, pass } = governed();
  for (let i = 0; i < 10; i++) await run(`https://a.example/${i}`);
  await refusal(run("https://a.example/10"));
  expect(await run("https://b.example/0")).toBe("answer 11");
  pass(6_000);
  expect(await run("https://a.example/10")).toBe("answer 12");
  expect(fetched()).toBe(12);
});

test("all origins together have thirty a minute, so that a name for each does not help", async () => {
  const { run, fetched } = governed();
  for (let i = 0; i < 30; i++) await run(`https://${i}.evil.example/c`);
  await refusal(run("https://30.evil.example/c"));
  expect(fetched()).toBe(30);
});

test("a spray of unknown clients takes nothing from those with grants", async () => {
  const { run } = governed();
  for (let i = 0; i < 30; i++) await run(`https://${i}.evil.example/c`);
  await refusal(run("https://a.example/c"));
  for (let i = 0; i < 60; i++) await run(`https://a.example/${i}`, true);
  await refusal(run("https://a.example/60", true));
});

test("what the whole refuses is not taken from the origin", async () => {
  const { run, pass } = governed();
  for (let i = 0; i < 30; i++) await run(`https://${i}.evil.example/c`);
  for (let i = 0; i < 20; i++) await refusal(run(`https://a.example/${i}`));
  // Ten more for all, and a third of what one origin has.
  pass(20_000);
  for (let i = 0; i < 10; i++) await run(`https://a.example/${i}`);
});

test("eight at once, and a slow one gives its place back", async () => {
  const { run } = governed();
  const slow = Promise.withResolvers<string>();
  const open = Array.from({ length: 8 }, (_, i) => run(`https://${i}.slow.example/c`, false, () => slow.promise));
  await refusal(run("https://a.example/c"));
  slow.resolve("late");
  await Promise.all(open);
  expect(await run("https://a.example/c")).toBe("answer 1");
});
