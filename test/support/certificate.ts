import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const text = (tag: number, value: string): Buffer => der(tag, Buffer.from(value));
/** Times from 2050 on would need another form (RFC 5280 §4.1.2.5). */
const time = (at: Date): Buffer => text(0x17, `${at.toISOString().replace(/\D/g, "").slice(2, 14)}Z`);
const pem = (label: string, content: Buffer): string =>
  `-----BEGIN ${label}-----\n${content.toString("base64").replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`;

const ecdsaWithSha256 = sequence(der(0x06, Buffer.from("2a8648ce3d040302", "hex")));
const commonName = Buffer.from("550403", "hex");
const subjectAltName = Buffer.from("551d11", "hex");

/** A certificate that signs itself (RFC 5280 §4.1), for P-256, with its key. Nothing needs to be installed for it. */
export function selfSigned(
  options: { readonly names?: readonly string[]; readonly from?: Date; readonly until?: Date } = {},
): { readonly certificate: string; readonly key: string } {
  const {
    names = ["localhost"],
    from = new Date(Date.now() - 60_000),
    until = new Date(Date.now() + 90 * 86_400_000),
  } = options;
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = sequence(der(0x31, sequence(der(0x06, commonName), text(0x0c, "a test"))));
  const altNames = sequence(...names.map((dns) => text(0x82, dns)));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    name,
    sequence(time(from), time(until)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(sequence(der(0x06, subjectAltName), der(0x04, altNames)))),
  );
  const signature = sign("sha256", body, privateKey);
  const certificate = sequence(body, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature));
  return {
    certificate: pem("CERTIFICATE", certificate),
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}
