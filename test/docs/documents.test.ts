import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { loadGatewayConfig } from "../../packages/cli/src/config/load-gateway-config.ts";
import { startServer } from "../../packages/cli/src/serve/start-server.ts";
import { spawnSource } from "../support/source-condition.ts";
import { anchorsOf, codeBlocks, codeUnder, markdownFiles, relativeLinks, root } from "./markdown.ts";

const secrets = {
  SALLYPORT_SECRET: "qZ3v9LtX0cVb7NmKjHgFdSaPoIuYtReWq1w2e3r4t5y",
  COGNITO_CLIENT_SECRET: "the-secret-of-the-app-client",
  NOTES_API_KEY: "the-secret-of-the-notes",
  OTEL_API_KEY: "the-secret-of-the-collector",
};

test("every link between the documents leads somewhere", () => {
  const files = markdownFiles();
  expect(files).toContain("README.md");
  const broken = files.flatMap((file) =>
    relativeLinks(readFileSync(root + file, "utf8"))
      .filter((link) => {
        const [path = "", anchor] = link.split("#");
        const target = path === "" ? root + file : join(root, dirname(file), path);
        if (!existsSync(target)) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).has(anchor);
      })
      .map((link) => `${file}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test("the reference of the settings is what the schema says", async () => {
  const child = spawnSource(`${root}scripts/generate-reference.ts`, ["--check"], { cwd: root });
  expect(await child.exited, child.output("stderr")).toEqual({ code: 0, signal: null });
});

test("the page on conformance names tests that exist, for every rule, and is current", async () => {
  const child = spawnSource(`${root}scripts/generate-conformance.ts`, ["--check"], { cwd: root });
  expect(await child.exited, child.output("stderr")).toEqual({ code: 0, signal: null });
});

test("the README's gateway file starts a gateway, without a warning", async () => {
  const text = codeUnder("README.md", "## The gateway", "toml");
  const loaded = await loadGatewayConfig({
    text,
    env: secrets,
    overrides: { listen: "127.0.0.1:0", store: "memory:" },
  });
  expect(loaded.warnings).toEqual([]);
  const server = await startServer(loaded.config);
  const response = await fetch(`http://127.0.0.1:${server.port}/notes/mcp`, { method: "POST" });
  await server.close();
  expect(response.status).toBe(401);
  expect(response.headers.get("www-authenticate")).toContain(
    'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/notes/mcp"',
  );
});

test("the README's code is as short as it says", () => {
  const lines = (code: string) => code.split("\n").filter((line) => line.trim() !== "").length;
  expect(lines(codeUnder("README.md", "## The gateway", "toml"))).toBeLessThanOrEqual(15);
  expect(lines(codeUnder("README.md", "## The library", "ts"))).toBeLessThanOrEqual(16);
});

test("every setting in an example is a setting", async () => {
  // Examples may be parts of a file: what they leave out is given here.
  const base = {
    baseUrl: "https://mcp.example.com",
    cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "my-app" },
  };
  const servers = [{ name: "notes", url: "http://127.0.0.1:3001/mcp" }];
  const examples = markdownFiles()
    .filter((file) => !file.startsWith("packages/emulator/"))
    .flatMap((file) => codeBlocks(readFileSync(root + file, "utf8"), "toml").map((text) => ({ file, text })));
  expect(examples.length).toBeGreaterThan(1);
  for (const { file, text } of examples) {
    const loading = loadGatewayConfig({ text, file, env: secrets, defaults: { servers }, overrides: base });
    expect(await loading.then(({ warnings }) => warnings), file).toEqual([]);
  }
});
