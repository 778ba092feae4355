import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { testCa, testServer } from "@plumbline/rpc/conformance";
import { newAuthority } from "@plumbline/tools-engines";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

function start(environment: Record<string, string>) {
  const child = spawn(process.execPath, ["-C", "source", main], { env: { ...process.env, ...environment } });
  const out = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (out.text += chunk));
  return { child, out };
}

test("the process answers until SIGTERM, and exits with 0", async () => {
  const { child, out } = start({ ISSUER_PORT: "0" });
  const limit = AbortSignal.timeout(30_000);
  while (!/on port \d+/.test(out.text)) await once(child.stdout, "data", { signal: limit });
  const url = /http:[^\s,]+/.exec(out.text)?.[0];
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  child.kill("SIGTERM");
  const [code] = await once(child, "close", { signal: limit });
  assert.equal(code, 0);
});

test("with a certificate it speaks https, also by another name that it was given", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "issuer-tls-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  writeFileSync(certificate, testServer.certificate);
  writeFileSync(key, testServer.key);
  const { child, out } = start({
    ISSUER_PORT: "0",
    ISSUER_URL: "https://id.test",
    ISSUER_HOSTS: "issuer,other",
    ISSUER_CERTIFICATE_FILE: certificate,
    ISSUER_KEY_FILE: key,
  });
  t.after(() => child.kill("SIGKILL"));
  const limit = AbortSignal.timeout(30_000);
  while (!/on port \d+/.test(out.text)) await once(child.stdout, "data", { signal: limit });
  const port = Number(/on port (\d+)/.exec(out.text)?.[1]);
  const ask = async (host: string, ca?: string) => {
    const at = { host: "localhost", servername: "localhost", port, path: "/jwks", agent: false } as const;
    const sent = request({ ...at, ca, headers: { host }, signal: limit }).end();
    const [response] = await once(sent, "response");
    await text(response);
    return response.statusCode as number;
  };
  assert.deepEqual(
    [await ask("id.test", testCa), await ask("issuer", testCa), await ask("evil.test", testCa)],
    [200, 200, 421],
  );
  await assert.rejects(ask("issuer"), /unable to verify the first certificate/);

  // Renewed: one file after the other, and between them the last pair stays.
  const authority = newAuthority("next");
  const next = authority.issue({ name: "issuer", dnsNames: ["localhost"] });
  const put = (path: string, pem: string): void => {
    writeFileSync(`${path}.new`, pem);
    renameSync(`${path}.new`, path);
  };
  put(certificate, next.certificate);
  while (!out.text.includes("changed certificates are invalid")) await once(child.stderr, "data", { signal: limit });
  assert.equal(await ask("issuer", testCa), 200);
  put(key, next.key);
  while ((await ask("issuer", authority.certificate).catch(() => 0)) !== 200) limit.throwIfAborted();
  await assert.rejects(ask("issuer", testCa), /certificate/);
  assert.doesNotMatch(out.text, /PRIVATE KEY/);
  child.kill("SIGTERM");
  const [code] = await once(child, "close", { signal: limit });
  assert.equal(code, 0);
});

test("a certificate without its key is refused at the start", async () => {
  const { child, out } = start({ ISSUER_PORT: "0", ISSUER_CERTIFICATE_FILE: "certificate.pem" });
  const [code] = await once(child, "close");
  assert.deepEqual(
    [code, out.text.trim()],
    [1, "issuer: ISSUER_CERTIFICATE_FILE and ISSUER_KEY_FILE: expected both or none"],
  );
});

test("a file that is no certificate is refused at the start, by name", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "issuer-tls-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  writeFileSync(certificate, "tea");
  writeFileSync(key, testServer.key);
  const { child, out } = start({ ISSUER_PORT: "0", ISSUER_CERTIFICATE_FILE: certificate, ISSUER_KEY_FILE: key });
  const [code] = await once(child, "close");
  assert.equal(code, 1);
  assert.match(out.text, /^issuer: .*certificate \(.*certificate\.pem\): expected a certificate in PEM/s);
  assert.doesNotMatch(out.text, / at /, "no stack");
});

test("a port in use is one line that says what to do, and exit code 1", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const { child, out } = start({ ISSUER_PORT: String(port) });
  const [code] = await once(child, "close");
  assert.deepEqual(
    [code, out.text.trim()],
    [1, `issuer: port ${port} is taken: end the other process or set ISSUER_PORT`],
  );
  other.close();
});

for (const [name, value] of [
  ["ISSUER_PORT", "tea"],
  ["ISSUER_TOKEN_SECONDS", "59"],
  ["ISSUER_TOKEN_SECONDS", "1e9"],
] as const) {
  test(`${name}=${value} is refused at the start, by name`, async () => {
    const { child, out } = start({ [name]: value });
    const [code] = await once(child, "close");
    assert.equal(code, 1);
    assert.match(out.text, new RegExp(`^issuer: ${name}: expected \\d+ to \\d+, found "${value}"\n$`));
  });
}
