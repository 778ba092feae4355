/**
 * Replaces `src/conformance/certificates.ts`: `node -C source test/programs/certificates.ts`. Needs
 * OpenSSL 3. No test runs it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "certificates-"));
const path = (name: string): string => join(folder, name);
const openssl = (...flags: readonly string[]): unknown =>
  execFileSync("openssl", flags, { stdio: ["ignore", "ignore", "ignore"] });
const newKey = (name: string, subject: string): readonly string[] => [
  "-newkey",
  "ec",
  "-pkeyopt",
  "ec_paramgen_curve:P-256",
  "-noenc",
  "-keyout",
  path(`${name}.key`),
  "-subj",
  `/CN=${subject}`,
];
const pem = (file: string): string => `\`${readFileSync(path(file), "utf8")}\``;
const century = "36500";

function authority(name: string, subject: string): string {
  openssl("req", "-x509", ...newKey(name, subject), "-days", century, "-out", path(`${name}.pem`));
  return `export const ${name} = ${pem(`${name}.pem`)};\n`;
}

function certify(name: string, by: string, names: string, days = century, more = "basicConstraints=CA:FALSE"): string {
  const extensions = ["-addext", `subjectAltName=${names}`, "-addext", more];
  openssl("req", "-new", ...newKey(name, name), ...extensions, "-out", path(`${name}.csr`));
  const signer = ["-CA", path(`${by}.pem`), "-CAkey", path(`${by}.key`), "-CAcreateserial", "-copy_extensions", "copy"];
  openssl("x509", "-req", "-in", path(`${name}.csr`), ...signer, "-days", days, "-out", path(`${name}.pem`));
  return `export const ${name} = {\n  certificate: ${pem(`${name}.pem`)},\n  key: ${pem(`${name}.key`)},\n};\n`;
}

const here = "DNS:localhost,IP:127.0.0.1";
const parts = [
  "/** Made by test/programs/certificates.ts, and valid for a hundred years. They protect nothing. */\n",
  authority("ca", "Plumbline tests"),
  `/** An authority other than \`ca\`. */\n${authority("otherCa", "Someone else")}`,
  certify("server", "ca", here),
  `/** The replacement of \`server\`. */\n${certify("nextServer", "ca", here)}`,
  certify("expired", "ca", here, "-1"),
  `/** For another host. */\n${certify("elsewhere", "ca", "DNS:elsewhere.test")}`,
  certify("caller", "ca", "DNS:client.test"),
  certify("gateway", "ca", "URI:spiffe://plumbline.test/gateway"),
  `/** The replacement of \`gateway\`. */\n${certify("nextGateway", "ca", "URI:spiffe://plumbline.test/gateway")}`,
  certify("worker", "ca", "URI:spiffe://plumbline.test/worker"),
  certify("twoUris", "ca", "URI:spiffe://plumbline.test/gateway,URI:spiffe://plumbline.test/worker"),
  certify("otherDomain", "ca", "URI:spiffe://other.test/gateway"),
  certify("rootPath", "ca", "URI:spiffe://plumbline.test/"),
  certify("overHttp", "ca", "URI:http://plumbline.test/gateway"),
  `/** Its one name is a DNS name that looks like a URI. */\n${certify("disguised", "ca", "DNS:spiffe://plumbline.test/gateway")}`,
  certify("authorityLeaf", "ca", "URI:spiffe://plumbline.test/gateway", century, "basicConstraints=CA:TRUE"),
  certify("serverOnly", "ca", "URI:spiffe://plumbline.test/gateway", century, "extendedKeyUsage=serverAuth"),
  certify("expiredGateway", "ca", "URI:spiffe://plumbline.test/gateway", "-1"),
  `/** A client of \`otherCa\`. */\n${certify("stranger", "otherCa", "DNS:client.test")}`,
  certify("otherGateway", "otherCa", "URI:spiffe://plumbline.test/gateway"),
];
writeFileSync(join(import.meta.dirname, "../../src/conformance/certificates.ts"), parts.join("\n"));
rmSync(folder, { recursive: true });
