import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface Certified {
  /** PEM. */
  readonly certificate: string;
  /** PEM, not encrypted. */
  readonly key: string;
}

export interface CertificateRequest {
  readonly name: string;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** IPv4 addresses. */
  readonly addresses?: readonly string[];
  /** From its first second; a minute ago if not given. */
  readonly from?: Date;
  /** To its last second; in a year if not given. */
  readonly to?: Date;
  /** True for a certificate that may sign others. */
  readonly isAuthority?: boolean;
  /** The uses of it by TLS; both if not given. */
  readonly usages?: readonly ("server" | "client")[];
}

/** An authority for development and tests. Its key is in memory only. */
export interface Authority {
  /** PEM. */
  readonly certificate: string;
  issue(request: CertificateRequest): Certified;
}

/** Makes an authority. Node cannot make certificates, so this writes them, as RFC 5280 says. */
export function newAuthority(name: string): Authority {
  const keys = newKeys();
  const issuer = { name, key: keys.privateKey, keyId: keyIdOf(keys.publicKey) };
  return {
    certificate: certify({ name, isAuthority: true }, keys.publicKey, issuer),
    issue(request) {
      const { publicKey, privateKey } = newKeys();
      const key = privateKey.export({ type: "pkcs8", format: "pem" });
      return { certificate: certify(request, publicKey, issuer), key };
    },
  };
}

interface Issuer {
  readonly name: string;
  readonly key: KeyObject;
  readonly keyId: Buffer;
}

const minuteMs = 60_000;
const yearMs = 365 * 86_400_000;

function certify(request: CertificateRequest, publicKey: KeyObject, issuer: Issuer): string {
  const { name, from = new Date(Date.now() - minuteMs), to = new Date(Date.now() + yearMs) } = request;
  const ecdsaWithSha256 = sequence(objectId("2a8648ce3d040302"));
  const signed = sequence(
    element(0xa0, integer(Buffer.from([2]))), // Version 3.
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ecdsaWithSha256,
    nameOf(issuer.name),
    sequence(timeOf(from), timeOf(to)),
    nameOf(name),
    publicKey.export({ type: "spki", format: "der" }),
    element(0xa3, sequence(...extensions(request, publicKey, issuer))),
  );
  const der = sequence(signed, ecdsaWithSha256, bits(0, sign("sha256", signed, issuer.key)));
  const lines = der.toString("base64").replaceAll(/.{1,64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`;
}

function extensions(request: CertificateRequest, publicKey: KeyObject, issuer: Issuer): Buffer[] {
  const { uris = [], dnsNames = [], addresses = [], isAuthority = false, usages = ["server", "client"] } = request;
  const names = [
    ...uris.map((uri) => element(0x86, Buffer.from(uri, "latin1"))),
    ...dnsNames.map((dns) => element(0x82, Buffer.from(dns, "latin1"))),
    ...addresses.map((address) => element(0x87, Buffer.from(address.split(".").map(Number)))),
  ];
  const purposes = usages.map((usage) => objectId(usage === "server" ? "2b06010505070301" : "2b06010505070302"));
  return [
    critical("551d13", isAuthority ? sequence(element(0x01, Buffer.from([0xff]))) : sequence()), // Basic constraints.
    critical("551d0f", isAuthority ? bits(1, Buffer.from([0x06])) : bits(7, Buffer.from([0x80]))), // Key usage.
    extension("551d0e", element(0x04, keyIdOf(publicKey))),
    extension("551d23", sequence(element(0x80, issuer.keyId))),
    ...(isAuthority ? [] : [extension("551d25", sequence(...purposes))]),
    ...(names.length === 0 ? [] : [extension("551d11", sequence(...names))]),
  ];
}

function newKeys(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function keyIdOf(publicKey: KeyObject): Buffer {
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest()
    .subarray(0, 20);
}

/** Returns a name with only a common name. */
function nameOf(text: string): Buffer {
  return sequence(element(0x31, sequence(objectId("550403"), element(0x0c, Buffer.from(text)))));
}

/** Returns a time before 2050, which has two digits for the year. */
function timeOf(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return element(0x17, Buffer.from(digits.slice(2)));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(objectId(id), element(0x04, value));
}

function critical(id: string, value: Buffer): Buffer {
  return sequence(objectId(id), element(0x01, Buffer.from([0xff])), element(0x04, value));
}

function bits(unused: number, bytes: Buffer): Buffer {
  return element(0x03, Buffer.concat([Buffer.from([unused]), bytes]));
}

function integer(bytes: Buffer): Buffer {
  return element(0x02, bytes);
}

function objectId(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, "hex"));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(0x30, ...parts);
}

function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
