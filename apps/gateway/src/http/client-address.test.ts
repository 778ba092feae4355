import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { clientAddress, clientKey, trustOf } from "./client-address.ts";

describe("a client's key", () => {
  for (const { address, key } of [
    { address: "192.0.2.1", key: "192.0.2.1" },
    { address: "::ffff:192.0.2.1", key: "192.0.2.1" },
    { address: "::ffff:c000:201", key: "192.0.2.1" },
    { address: "0:0:0:0:0:FFFF:C000:201", key: "192.0.2.1" },
    { address: "192.0.2.1:443", key: "192.0.2.1" },
    { address: "::1", key: "0:0:0:0::/64" },
    { address: "[::1]:8080", key: "0:0:0:0::/64" },
    { address: "2001:db8:1:2:3:4:5:6", key: "2001:db8:1:2::/64" },
    { address: "2001:DB8:1:2::9", key: "2001:db8:1:2::/64" },
    { address: "2001:db8::1", key: "2001:db8:0:0::/64" },
    { address: "fe80::1%eth0", key: "fe80:0:0:0::/64" },
    { address: "someone", key: "unknown" },
    { address: "[192.0.2.1]", key: "unknown" },
    { address: undefined, key: "unknown" },
  ]) {
    test(`is ${key} for the address ${address}`, () => assert.equal(clientKey(address), key));
  }

  test("has at most 45 characters, whatever a proxy passes on", () => {
    const words = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.string({ minLength: 1000 }));
    const lists = fc.array(words, { maxLength: 4 }).map((list) => list.join(","));
    fc.assert(
      fc.property(lists, fc.nat(5), (list, hops) => {
        const client = clientAddress("192.0.2.9", list, trustOf(hops)) ?? assert.fail();
        assert.ok(client.length <= 45 && clientKey(client).length <= 45);
        assert.notEqual(clientKey(client), "unknown");
      }),
    );
  });
});

describe("the client behind proxies", () => {
  for (const { trust, header, client } of [
    { trust: false, header: "192.0.2.1", client: "10.0.0.1" },
    { trust: 1, header: undefined, client: "10.0.0.1" },
    { trust: 1, header: "192.0.2.1, 192.0.2.2", client: "192.0.2.2" },
    { trust: 2, header: "192.0.2.1, 192.0.2.2", client: "192.0.2.1" },
    { trust: 9, header: "192.0.2.1, 192.0.2.2", client: "192.0.2.1" },
    { trust: 2, header: "junk, 192.0.2.2", client: "10.0.0.1" },
    { trust: 1, header: "junk, 192.0.2.2", client: "192.0.2.2" },
    { trust: 1, header: ",", client: "10.0.0.1" },
    { trust: "10.0.0.0/8", header: "192.0.2.1, 10.1.2.3", client: "192.0.2.1" },
    { trust: "uniquelocal", header: "192.0.2.1,172.16.0.1", client: "192.0.2.1" },
    { trust: "10.0.0.1, 192.0.2.2", header: "192.0.2.1,192.0.2.2:80", client: "192.0.2.1" },
    { trust: "192.0.2.2", header: "192.0.2.1", client: "10.0.0.1" },
  ] as const) {
    test(`is ${client} if ${trust} is trusted and X-Forwarded-For is ${header}`, () => {
      assert.equal(clientAddress("::ffff:10.0.0.1", header, trustOf(trust)), client);
    });
  }

  for (const setting of [true, "true", "", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "1.2.3.4/8/8", "proxy.example"]) {
    test(`cannot be set to ${JSON.stringify(setting)}`, () => {
      assert.throws(() => trustOf(setting));
    });
  }
});
