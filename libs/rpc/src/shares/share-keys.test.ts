import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { Metadata } from "../metadata.ts";
import { ShareKeys, shareKeyName } from "./share-keys.ts";

const named = (key: string) => Metadata.received([[shareKeyName, key]]);

describe("the share key of a call", () => {
  for (const { trust, peer, key } of [
    { trust: "loopback", peer: "127.0.0.1:80", key: "client" },
    { trust: "loopback", peer: "::1:51234", key: "client" },
    { trust: "loopback", peer: "[::1]:51234", key: "client" },
    { trust: "loopback", peer: "::ffff:127.0.0.1:51234", key: "client" },
    { trust: "loopback", peer: "[::ffff:127.0.0.1]:51234", key: "client" },
    { trust: undefined, peer: "172.18.0.3:80", key: "client" },
    { trust: undefined, peer: "[fd00::5]:80", key: "client" },
    { trust: undefined, peer: "192.0.2.1:80", key: "192.0.2.1" },
    { trust: "192.0.2.0/30", peer: "192.0.2.3:80", key: "client" },
    { trust: "192.0.2.0/30", peer: "192.0.2.4:80", key: "192.0.2.4" },
    { trust: "192.0.2.0/30", peer: "[2001:db8:1:2:3::4]:80", key: "2001:db8:1:2::/64" },
    { trust: "", peer: "127.0.0.1:80", key: "127.0.0.1" },
    { trust: undefined, peer: "unknown", key: "unknown" },
    { trust: undefined, peer: "", key: "unknown" },
  ]) {
    test(`is ${key} for ${JSON.stringify(peer)} while ${JSON.stringify(trust)} is trusted`, () => {
      assert.equal(new ShareKeys(trust).of(named("client"), peer), key);
    });
  }

  test("is short and printable, whatever a trusted peer sends", () => {
    const keys = new ShareKeys();
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ minLength: 40, maxLength: 50 })), (text) => {
        assert.match(keys.of(named(text), "10.0.0.1:80"), /^[\x21-\x7e]{1,45}$/);
      }),
    );
  });

  test("stays the same for a peer after a thousand others", () => {
    const keys = new ShareKeys("10.9.0.0/16");
    for (let port = 1; port <= 2_500; port++) keys.of(named("client"), `192.0.2.1:${port}`);
    assert.equal(keys.of(named("client"), "192.0.2.1:1"), "192.0.2.1");
    assert.equal(keys.of(named("client"), "10.9.0.1:1"), "client");
  });

  test("cannot have a list that is not of addresses", () => {
    for (const list of ["gateway", "10.0.0.0/33", ","]) assert.throws(() => new ShareKeys(list));
  });
});
