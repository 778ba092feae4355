import assert from "node:assert/strict";
import { test } from "node:test";
import { clientKey } from "./limit-rate.ts";

for (const { address, key } of [
  { address: "192.0.2.1", key: "192.0.2.1" },
  { address: "::ffff:192.0.2.1", key: "192.0.2.1" },
  { address: "::1", key: "0:0:0:0::/64" },
  { address: "2001:db8:1:2:3:4:5:6", key: "2001:db8:1:2::/64" },
  { address: "2001:DB8:1:2::9", key: "2001:db8:1:2::/64" },
  { address: "2001:db8::1", key: "2001:db8:0:0::/64" },
  { address: "fe80::1%eth0", key: "fe80:0:0:0::/64" },
  { address: undefined, key: "unknown" },
]) {
  test(`the address ${address} is counted as ${key}`, () => assert.equal(clientKey(address), key));
}
