import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { ca, caller, server } from "../conformance/certificates.ts";
import { identityOf, trustDomainOf, urisOf } from "./spiffe.ts";

/** Returns an element of DER. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const san = Buffer.from("551d11", "hex");
const uri = (text: string): Buffer => der(0x86, Buffer.from(text));
const dns = (text: string): Buffer => der(0x82, Buffer.from(text));
const extension = (...names: readonly Buffer[]): Buffer => der(0x30, der(6, san), der(4, der(0x30, ...names)));
const certified = (...extensions: readonly Buffer[]): Buffer =>
  der(0x30, der(0x30, der(2, Buffer.from([1])), der(0xa3, der(0x30, ...extensions))));

test("only URIs are read, whatever a DNS name says", () => {
  assert.deepEqual(urisOf(certified(extension(dns("spiffe://d/gateway, URI:spiffe://d/x"), uri("spiffe://d/a")))), [
    "spiffe://d/a",
  ]);
  assert.deepEqual(urisOf(certified(extension(uri("http://d/a"), uri("spiffe://d/b")))), [
    "http://d/a",
    "spiffe://d/b",
  ]);
  assert.deepEqual(urisOf(certified()), []);
});

test("names that are critical are read too", () => {
  const critical = der(0x30, der(6, san), der(1, Buffer.from([255])), der(4, der(0x30, uri("spiffe://d/a"))));
  assert.deepEqual(urisOf(certified(critical)), ["spiffe://d/a"]);
});

test("bytes that are not exactly a certificate's are refused", () => {
  const whole = certified(extension(uri("spiffe://d/a")));
  for (let size = 1; size < whole.length; size++) assert.throws(() => urisOf(whole.subarray(0, size)), `${size}`);
  assert.throws(() => urisOf(Buffer.concat([whole, whole])), "two");
  assert.throws(() => urisOf(certified(extension(uri("spiffe://d/a")), extension(uri("spiffe://d/b")))), "names twice");
  assert.throws(() => urisOf(certified(extension(uri("spiffe://d/a\0b")))), "a NUL");
  assert.throws(() => urisOf(certified(extension(uri("spiffe://d/ä")))), "not ASCII");
  assert.throws(() => urisOf(Buffer.from([0x30, 0x80, 0, 0])), "no definite length");
  assert.throws(() => urisOf(Buffer.from([0x30, 0x81, 2, 0x30, 0])), "a length that is not the shortest");
});

test("an id has a trust domain and a path, whose segments are neither empty nor dots", () => {
  for (const right of ["gateway", "ns/a/sa/b", "a.b", "..a", "a_-"]) {
    assert.equal(trustDomainOf(`spiffe://d.test/${right}`), "d.test", right);
  }
  for (const wrong of ["", "/", "a/", "/a", "a//b", ".", "..", "a/..", "../a", "a/./b", "a b", "a%2fb", "a?b", "a#b"]) {
    assert.equal(trustDomainOf(`spiffe://d.test/${wrong}`), undefined, wrong);
  }
  for (const wrong of [
    "",
    "gateway",
    "http://d/a",
    "spiffe://D/a",
    "spiffe:///a",
    "spiffe://d:1/a",
    "spiffe://u@d/a",
  ]) {
    assert.equal(trustDomainOf(wrong), undefined, wrong);
  }
  assert.equal(trustDomainOf(`spiffe://d/${"a".repeat(2_048)}`), undefined);
});

test("certificates without a URI, of an authority, and other bytes give no identity", () => {
  const of = (pem: string) => identityOf(new X509Certificate(pem).raw, "example.test");
  assert.deepEqual(of(caller.certificate), { fault: "invalid", detail: "the certificate has no URI" });
  assert.deepEqual(of(server.certificate), { fault: "invalid", detail: "the certificate has no URI" });
  assert.deepEqual(of(ca), { fault: "invalid", detail: "the certificate is that of an authority" });
  assert.deepEqual(identityOf(Buffer.from("x"), "d"), { fault: "invalid", detail: "the certificate is malformed" });
});
