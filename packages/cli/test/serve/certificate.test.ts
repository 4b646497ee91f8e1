import { chmod, rename, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gatewaySection } from "@sallyport/gateway";
import { createLogger } from "sallyport";
import { describe, expect, test } from "vitest";
import { selfSigned } from "../../../../test/support/certificate.ts";
import { temporaryFolder } from "../../../../test/support/command.ts";
import { testClock } from "../../../../test/support/test-clock.ts";
import { certificateWarnings, type KeyPair, keyPairFiles, readKeyPair } from "../../src/serve/certificate.ts";
import { watchCertificate } from "../../src/serve/certificate-watch.ts";

const day = 86_400_000;

/** A folder with the two files. */
async function files(pair: KeyPair) {
  const folder = await temporaryFolder();
  const paths = { certificate: join(folder, "fullchain.pem"), key: join(folder, "key.pem") };
  await writeFile(paths.certificate, pair.certificate);
  await writeFile(paths.key, pair.key, { mode: 0o600 });
  return { ...paths, folder };
}

test("paths stand relative to the settings file", () => {
  const tls = { certificate: "tls/fullchain.pem", key: "/etc/key.pem" };
  expect(keyPairFiles(tls, "/srv/sallyport.toml")).toEqual({
    certificate: "/srv/tls/fullchain.pem",
    key: "/etc/key.pem",
  });
});

describe("a pair that cannot be used is refused by setting and file", () => {
  const one = selfSigned();
  const other = selfSigned();
  test.each([
    [
      "no certificate",
      { certificate: "hello", key: one.key },
      /^tls\.certificate: \S+fullchain\.pem holds no certificate/,
    ],
    ["no key", { certificate: one.certificate, key: "hello" }, /^tls\.key: \S+key\.pem holds no private key/],
    [
      "a key with a passphrase",
      { ...one, key: one.key.replaceAll("PRIVATE", "ENCRYPTED PRIVATE") },
      /^tls\.key: \S+key\.pem has a passphrase/,
    ],
    [
      "another's key",
      { certificate: one.certificate, key: other.key },
      /^tls\.key: the key in \S+key\.pem does not belong to the certificate in \S+fullchain\.pem/,
    ],
  ])("%s", async (_, pair, message) => {
    const paths = await files(pair);
    await expect(readKeyPair(paths)).rejects.toThrow(message);
  });

  test("a file that is not there", async () => {
    const paths = await files(one);
    await unlink(paths.key);
    await expect(readKeyPair(paths)).rejects.toThrow(
      /^tls\.key: the file \S+key\.pem cannot be read: there is no such/,
    );
  });
});

describe("warnings", () => {
  const now = Date.now();
  const { servers } = gatewaySection.parse({
    servers: [{ name: "notes", url: "http://127.0.0.1:3001/mcp", hosts: ["notes.example.com"] }],
  });
  test.each([
    ["nothing odd", {}, []],
    ["a wildcard", { names: ["*.example.com"] }, []],
    ["another host", { names: ["other.example.com"] }, [/is not for mcp\.example\.com, notes\.example\.com; clients/]],
    ["a server's host left out", { names: ["mcp.example.com"] }, [/is not for notes\.example\.com; clients/]],
    ["13 days left", { until: new Date(now + 13 * day) }, [/ends on .*; renew it/]],
    ["over", { from: new Date(now - 9 * day), until: new Date(now - day) }, [/ended on .*; renew it/]],
    ["not begun", { from: new Date(now + day) }, [/begins only on/]],
  ])("%s", async (_, options, expected) => {
    const tls = await files(selfSigned({ names: ["mcp.example.com", "notes.example.com"], ...options }));
    const warnings = await certificateWarnings({ tls, baseUrl: "https://mcp.example.com", servers });
    expect(warnings).toEqual(expected.map((text) => expect.stringMatching(text)));
  });

  test("a key that others can read", async () => {
    const tls = await files(selfSigned());
    await chmod(tls.key, 0o644);
    const [warning, ...more] = await certificateWarnings({ tls, baseUrl: "https://localhost", servers: [] });
    expect(warning).toMatch(/^tls\.key: other users can read the file \S+key\.pem; chmod 600 it$/);
    expect(more).toEqual([]);
  });
});

describe("files that change", () => {
  async function watched() {
    const first = selfSigned();
    const paths = await files(first);
    const clock = testClock();
    const log: string[] = [];
    const used: KeyPair[] = [];
    const logger = createLogger({ write: (line) => log.push(line) });
    const watch = watchCertificate({
      files: paths,
      pair: first,
      hosts: ["localhost"],
      clock,
      logger,
      use: (pair) => used.push(pair),
    });
    await watch.look();
    return { paths, first, clock, log, used, watch };
  }

  test("written one after the other: taken over when both are there, and nothing is said of the time between", async () => {
    const { paths, log, used, watch } = await watched();
    const next = selfSigned();
    await writeFile(paths.certificate, next.certificate);
    await watch.look();
    expect([used, log]).toEqual([[], []]);
    await writeFile(paths.key, next.key);
    await watch.look();
    expect(used).toEqual([next]);
    expect(log).toEqual([expect.stringContaining("another certificate is in use")]);
    watch.stop();
  });

  test("a pair that stays wrong is told once, and the old one stays", async () => {
    const { paths, log, used, watch } = await watched();
    await writeFile(paths.certificate, "half of a certif");
    for (let look = 0; look < 4; look += 1) await watch.look();
    expect(used).toEqual([]);
    expect(log).toEqual([expect.stringMatching(/ERROR.*stays as it was: tls\.certificate: \S+ holds no certificate/i)]);
    await unlink(paths.certificate);
    await watch.look();
    await watch.look();
    expect(log).toHaveLength(2);
    watch.stop();
  });

  test("replaced by rename, and by a link that leads elsewhere", async () => {
    const { paths, used, watch } = await watched();
    const renamed = selfSigned();
    await writeFile(`${paths.certificate}.new`, renamed.certificate);
    await writeFile(`${paths.key}.new`, renamed.key);
    await rename(`${paths.certificate}.new`, paths.certificate);
    await rename(`${paths.key}.new`, paths.key);
    await watch.look();
    const linked = selfSigned();
    const there = await files(linked);
    for (const name of ["certificate", "key"] as const) {
      await symlink(there[name], `${paths[name]}.link`);
      await rename(`${paths[name]}.link`, paths[name]);
    }
    await watch.look();
    expect(used).toEqual([renamed, linked]);
    watch.stop();
  });

  test("they are looked at by the clock, and a certificate that ends is called to mind once a day", async () => {
    const { paths, clock, log, used, watch } = await watched();
    const next = selfSigned();
    await writeFile(paths.certificate, next.certificate);
    await writeFile(paths.key, next.key);
    clock.advance(10_000);
    await expect.poll(() => used, { interval: 5 }).toEqual([next]);
    clock.advance(80 * day);
    await watch.look();
    await watch.look();
    expect(log.filter((line) => /ends on .*renew it/.test(line))).toHaveLength(1);
    clock.advance(day);
    await watch.look();
    expect(log.filter((line) => /ends on .*renew it/.test(line))).toHaveLength(2);
    watch.stop();
  });
});
