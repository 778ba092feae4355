import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import { type Certified, newAuthority } from "./certificates.ts";

test("an authority issues certificates that TLS accepts on both sides", async () => {
  const authority = newAuthority("tests");
  const { certificate: ca } = authority;
  const service = authority.issue({ name: "orders", dnsNames: ["localhost"], addresses: ["127.0.0.1"] });
  const gateway = authority.issue({ name: "gateway", uris: ["spiffe://tests/gateway"] });
  const server = createServer({ cert: service.certificate, key: service.key, ca, requestCert: true }, (socket) =>
    socket.end(String(socket.authorized)),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const said = async ({ certificate: cert, key }: Certified, from = ca) => {
    const socket = connect({ host: "127.0.0.1", port, ca: from, cert, key });
    // A server that refuses a certificate may only close the connection.
    return Buffer.concat(await socket.toArray().catch(() => [])).toString();
  };
  try {
    assert.equal(await said(gateway), "true");
    assert.equal(await said(newAuthority("tests").issue({ name: "gateway" })), "");
    assert.equal(await said(authority.issue({ name: "gateway", usages: ["server"] })), "");
    assert.equal(await said(gateway, newAuthority("tests").certificate), "");
  } finally {
    server.close();
  }
});

test("a certificate says what was asked for", () => {
  const authority = newAuthority("tests");
  const { ca, subject, publicKey } = new X509Certificate(authority.certificate);
  assert.deepEqual([ca, subject], [true, "CN=tests"]);
  const from = new Date("2026-01-02T03:04:05Z");
  const to = new Date("2027-01-02T03:04:05Z");
  const names = { uris: ["spiffe://a/b"], dnsNames: ["b"], addresses: ["10.0.0.1"] };
  const { certificate, key } = authority.issue({ name: "b", ...names, from, to });
  const read = new X509Certificate(certificate);
  assert.ok(read.verify(publicKey) && read.checkIssued(new X509Certificate(authority.certificate)));
  assert.equal(read.subjectAltName, "URI:spiffe://a/b, DNS:b, IP Address:10.0.0.1");
  assert.deepEqual([read.ca, new Date(read.validFrom), new Date(read.validTo)], [false, from, to]);
  assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
});
