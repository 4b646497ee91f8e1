import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname, resolve } from "node:path";
import { createSecureContext } from "node:tls";
import type { GatewayConfig } from "@sallyport/gateway";
import { type CoreConfig, systemClock } from "sallyport";
import { CommandFailure, systemReason } from "../process/failure.ts";
import { listenerTls } from "./tls-options.ts";

/** A certificate with its chain, and its private key, both PEM. They belong together. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** The setting `tls` with whole paths. */
export type KeyPairFiles = NonNullable<GatewayConfig["tls"]>;

/** A certificate that nobody renewed in the last days of its life probably will not be, in milliseconds. */
const soon = 14 * 86_400_000;

/**
 * The files of the setting, relative to the folder of the settings file; the working folder counts when there is none.
 */
export const keyPairFiles = ({ certificate, key }: KeyPairFiles, settingsFile: string | undefined): KeyPairFiles => {
  const folder = settingsFile === undefined ? "." : dirname(settingsFile);
  return { certificate: resolve(folder, certificate), key: resolve(folder, key) };
};

/**
 * Reads a certificate and its key.
 * @throws CommandFailure that names the setting and the file, if one cannot be read or used, or the two do not belong
 *   together
 */
export async function readKeyPair(files: KeyPairFiles): Promise<KeyPair> {
  const [certificate, key] = await Promise.all([
    readText("tls.certificate", files.certificate),
    readText("tls.key", files.key),
  ]);
  const pair = { certificate, key };
  if (!leafOf(files, pair).checkPrivateKey(privateKeyOf(files, pair))) {
    throw new CommandFailure(
      `tls.key: the key in ${files.key} does not belong to the certificate in ${files.certificate}; give the two that were made together`,
    );
  }
  try {
    createSecureContext(listenerTls(pair));
  } catch (error) {
    throw new CommandFailure(`tls.certificate: ${files.certificate} cannot be used: ${opensslReason(error)}`);
  }
  return pair;
}

/**
 * What is odd about the certificate of the settings, though it can be used: clients would refuse it, or soon will, or
 * others can read its key.
 * @param config with whole paths in `tls`
 * @throws CommandFailure if it cannot be used
 */
export async function certificateWarnings(
  config: Pick<GatewayConfig & CoreConfig, "tls" | "baseUrl" | "servers">,
  now = systemClock.now(),
): Promise<readonly string[]> {
  const { tls } = config;
  if (tls === undefined) return [];
  const pair = await readKeyPair(tls);
  const { mode } = await stat(tls.key);
  const open = process.platform !== "win32" && (mode & 0o077) !== 0;
  return [
    ...(open ? [`tls.key: other users can read the file ${tls.key}; chmod 600 it`] : []),
    ...pairWarnings(tls, pair, certificateHosts(config), now),
  ];
}

/** The hosts by which clients come, and which the certificate has to name. */
export const certificateHosts = ({
  baseUrl,
  servers,
}: Pick<GatewayConfig & CoreConfig, "baseUrl" | "servers">): readonly string[] => [
  new URL(baseUrl).hostname,
  ...servers.flatMap(({ hosts }) => hosts.map((host) => host.replace(/:\d+$/, ""))),
];

/**
 * What makes clients refuse a certificate, or soon will.
 * @param hosts names, or addresses as URLs have them
 * @param now milliseconds since the Unix epoch
 */
export function pairWarnings(
  files: KeyPairFiles,
  pair: KeyPair,
  hosts: readonly string[],
  now: number,
): readonly string[] {
  const leaf = leafOf(files, pair);
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(`tls.certificate: ${files.certificate} ${message}`);
  const others = hosts.filter((host) => !covers(leaf, host));
  if (others.length > 0) warn(`is not for ${others.join(", ")}; clients that come by such a name will refuse it`);
  const until = leaf.validToDate;
  if (until.getTime() <= now) warn(`ended on ${until.toISOString()}; renew it`);
  else if (until.getTime() - now <= soon) warn(`ends on ${until.toISOString()}; renew it`);
  if (leaf.validFromDate.getTime() > now) warn(`begins only on ${leaf.validFromDate.toISOString()}`);
  return warnings;
}

function covers(leaf: X509Certificate, host: string): boolean {
  const address = host.replace(/^\[|\]$/g, "");
  const found = isIP(address) ? leaf.checkIP(address) : leaf.checkHost(host, { subject: "never" });
  return found !== undefined;
}

async function readText(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new CommandFailure(`${setting}: the file ${path} cannot be read: ${systemReason(error)}`);
  }
}

/** The first certificate of the file is the server's own (RFC 8446 §4.4.2); X509Certificate reads that one. */
function leafOf(files: KeyPairFiles, { certificate }: KeyPair): X509Certificate {
  try {
    return new X509Certificate(certificate);
  } catch {
    throw new CommandFailure(
      `tls.certificate: ${files.certificate} holds no certificate that can be read; give it as PEM`,
    );
  }
}

function privateKeyOf(files: KeyPairFiles, { key }: KeyPair): KeyObject {
  if (/^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(key)) {
    const mend = "take the passphrase off and keep the file to yourself (chmod 600)";
    throw new CommandFailure(`tls.key: ${files.key} has a passphrase, which nobody could type here; ${mend}`);
  }
  try {
    return createPrivateKey(key);
  } catch {
    throw new CommandFailure(`tls.key: ${files.key} holds no private key that can be read; give it as PEM`);
  }
}

/** What OpenSSL says of a pair that it will not take, such as `ee key too small`; never the text of a file. */
const opensslReason = (error: unknown): string =>
  error instanceof Error && "reason" in error && typeof error.reason === "string" ? error.reason : "OpenSSL refuses it";
