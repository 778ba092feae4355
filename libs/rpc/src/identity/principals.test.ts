import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePrincipal, principalName } from "@plumbline/auth";
import { Metadata } from "../metadata.ts";
import { believedPeers, Principals } from "./principals.ts";

const ada = encodePrincipal({ subject: "ada", client: "cli", scopes: [], issuedMs: 0, expiresMs: 1 });
const received = (...all: Uint8Array[]) =>
  Metadata.received(all.map((bytes): [string, Uint8Array] => [principalName, bytes]));

test("a call with two principals has none: a client may have sent one of them", () => {
  const principals = new Principals(believedPeers("loopback"));
  assert.equal(principals.of({ metadata: received(ada), peer: "127.0.0.1:80", identity: undefined })?.subject, "ada");
  assert.equal(principals.of({ metadata: received(ada, ada), peer: "127.0.0.1:80", identity: undefined }), undefined);
  assert.equal(principals.of({ metadata: received(), peer: "127.0.0.1:80", identity: undefined }), undefined);
});

test("peers are believed by their addresses", () => {
  const principals = new Principals(believedPeers("10.0.0.0/8"));
  for (const [peer, isBelieved] of [
    ["10.1.2.3:80", true],
    ["[::ffff:10.1.2.3]:80", true],
    ["11.1.2.3:80", false],
    ["127.0.0.1:80", false],
    ["unknown", false],
    ["", false],
  ] as const) {
    assert.equal(principals.isBelieved({ peer, identity: undefined }), isBelieved, peer);
    assert.equal(
      principals.of({ metadata: received(ada), peer: peer, identity: undefined }) !== undefined,
      isBelieved,
      peer,
    );
  }
});

test("each call has the principal that it names, not one that was named before", () => {
  const principals = new Principals(believedPeers("loopback"));
  const of = (bytes: Uint8Array, peer = "127.0.0.1:80") =>
    principals.of({ metadata: received(bytes), peer, identity: undefined });
  const named = (subject: string, more = {}) =>
    encodePrincipal({ subject, client: "cli", scopes: [], issuedMs: 0, expiresMs: 1, ...more });
  const first = of(ada);
  assert.equal(of(Uint8Array.from(ada)), first, "decoded once");
  // More than are remembered, and each twice.
  for (let at = 0; at < 2_200; at++) {
    for (const _ of [1, 2]) assert.equal(of(named(`c${at}`))?.subject, `c${at}`);
  }
  assert.deepEqual([of(ada), of(ada) === first], [first, false], "2,200 others take its place");
  assert.deepEqual(of(named("ada", { scopes: ["a"] }))?.scopes, ["a"]);
  assert.deepEqual(of(named("ada", { expiresMs: 2 }))?.expiresMs, 2);
  assert.equal(of(ada, "10.1.2.3:80"), undefined, "a caller that is not believed");
  assert.equal(of(Buffer.from("{}")), undefined);
  const long = named("ada", { client: "c".repeat(2_000) });
  assert.deepEqual([of(long)?.subject, of(long) === of(long)], ["ada", false], "too long to be remembered");
});
