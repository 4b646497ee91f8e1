import { expect, test } from "vitest";
import {
  createLogger,
  createSallyport,
  memoryStore,
  parseCoreConfig,
  systemClock,
  systemRandom,
} from "../../src/index.ts";
import { testSettings } from "../grants/test-replica.ts";

test("cognito.timeout is how long Cognito may take", async () => {
  const log: string[] = [];
  const settings = testSettings({ machines: { robot: { scopes: ["read"] } } });
  const auth = await createSallyport(
    parseCoreConfig({ ...settings, cognito: { ...settings.cognito, timeout: "1s" } }),
    {
      store: memoryStore({ clock: systemClock, random: systemRandom }),
      logger: createLogger({ level: "debug", write: (line) => log.push(line) }),
      // Never answers, but ends when it is told to.
      fetch: (_input, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
        }),
    },
  );
  const form = { grant_type: "client_credentials", client_id: "robot", client_secret: "of-a-robot" };
  const response = await auth.fetch(
    new Request("https://mcp.example/token", { method: "POST", body: new URLSearchParams(form) }),
  );
  expect(response.status).toBe(503);
  expect(log.join("\n")).toContain("gave no answer within 1000 ms");
  await auth.close();
}, 3_000);
