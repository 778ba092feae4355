/**
 * The conformance suite that every adapter passes. Its cases are the specification of the port.
 * They follow the list of Watermill's Pub/Sub tests. An adapter's own test is one call:
 *
 *     conformance("memory", { ordered: true, persistent: { off: "..." } }, openMemoryBroker);
 *
 * `open` is called several times per case. Each call returns the broker of another process on the
 * same engine. A feature that is off skips its cases by name, and no case is weakened.
 */
import { describe, test } from "node:test";
import type { Broker } from "./broker.ts";
import { closingCases } from "./conformance/closing.ts";
import { deliveryCases } from "./conformance/delivery.ts";
import { orderCases } from "./conformance/order.ts";
import { publishingCases } from "./conformance/publishing.ts";
import { strangerCases } from "./conformance/strangers.ts";
import { type Features, TestContext } from "./conformance/test-context.ts";

export type { Features, Off } from "./conformance/test-context.ts";

export function conformance(name: string, features: Features, open: () => Promise<Broker>): void {
  void describe(`${name} keeps the promises of the messaging port`, () => {
    for (const { name, needs, run } of [
      ...deliveryCases,
      ...orderCases,
      ...publishingCases,
      ...closingCases,
      ...strangerCases,
    ]) {
      const feature = needs === undefined ? true : features[needs];
      const skip = typeof feature === "object" ? feature.off : false;
      void test(name, { skip, timeout: 60_000 }, async () => {
        await using context = new TestContext(features, open);
        await run(context);
      });
    }
  });
}
