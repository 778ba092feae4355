import { request as httpRequest } from "node:http";
import { base, placed, setSupplier, settled } from "../api.ts";
import type { Attack, Target } from "../attack.ts";
import { attacker, Tally } from "../sockets.ts";

/** The most items that an order may have, most of them of no supplier. */
export const manyItems = [
  ...["tea", "coffee", "oolong", "cups", "kettle"].map((sku) => ({ sku, quantity: 1 })),
  ...Array.from({ length: 95 }, (_, index) => ({ sku: `unknown-${index}`, quantity: 1 })),
];

/** Places a big order from an address, for a customer who rotates. Returns its status. */
export function placeBig(target: Target, index: number, localAddress = attacker): Promise<number | string> {
  const { promise, resolve } = Promise.withResolvers<number | string>();
  const sent = httpRequest(
    `${base(target)}/v1/orders`,
    { method: "POST", localAddress, headers: { "content-type": "application/json" } },
    (response) => {
      response.resume().on("close", () => resolve(response.statusCode ?? "no answer"));
    },
  );
  sent.on("error", () => resolve("no answer"));
  sent.end(JSON.stringify({ customerId: `flood-${index}`, items: manyItems }));
  return promise;
}

export const queueFlood: Attack = {
  name: "a queue full of big orders",
  right: "the next customer's order is settled within 3 s",
  async run(target, full) {
    const count = full ? 300 : 100;
    await setSupplier(target, { latencyMs: 100 });
    try {
      const statuses = new Tally();
      let next = 0;
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          while (next < count) statuses.add(await placeBig(target, next++));
        }),
      );
      const took = await settled(target, await placed(target, "next-customer"), 60_000);
      const misses =
        took !== undefined && took <= 3_000
          ? []
          : [`the next customer's order took ${took === undefined ? "over 60 s" : `${Math.round(took)} ms`}`];
      return {
        sent: count,
        seen: `the flood ${statuses}; the next order ${Math.round(took ?? Number.NaN)} ms`,
        misses,
      };
    } finally {
      await setSupplier(target, { latencyMs: 0 });
    }
  },
};
