import { coreSection } from "sallyport";
import { expect, test } from "vitest";
import { demoSettings } from "./demo-settings.ts";

test("the demo allows ten times every limit", () => {
  const settings = demoSettings({
    gatewayUrl: "http://localhost:8000",
    port: 8000,
    cognitoUrl: "http://localhost:9229",
    clients: { clientId: "a", clientSecret: "b", machineId: "c", machineSecret: "d" },
    secret: "e",
    store: "memory:",
    servers: [],
  });
  const { limits } = coreSection.parse({ baseUrl: settings.baseUrl, cognito: settings.cognito });
  expect(settings.limits).toEqual(Object.fromEntries(Object.entries(limits).map(([name, most]) => [name, most * 10])));
});
