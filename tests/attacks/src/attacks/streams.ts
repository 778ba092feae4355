import { sleep } from "@plumbline/concurrency";
import { besideVictims, outcomeOf, placed, setSupplier } from "../api.ts";
import type { Assault, Attack } from "../attack.ts";
import { nextCallerLine } from "../callers.ts";
import { openMany, statusOf, Tally } from "../sockets.ts";

/** An item that stays out of reach while the supplier fails for it. */
export const pendingItem = { sku: "kettle", quantity: 1 };

/** Takes the id of an order that stays pending, so that its streams stay open. */
export const holdStreams: Assault = async (gateway, full, id) => {
  const count = full ? 1_000 : 400;
  const heads = new Tally();
  const head = () => `GET /v1/orders/${id}:watch HTTP/1.1\r\nHost: 127.0.0.1\r\n${nextCallerLine()}\r\n`;
  using _held = await openMany(gateway, count, head, (text) => {
    if (text.startsWith("HTTP/")) heads.add(statusOf(text));
  });
  await sleep(full ? 4_000 : 1_500);
  return { sent: count, seen: `the attacker ${heads}`, misses: heads.of(200) > 0 ? [] : ["no stream was opened"] };
};

export const idleStreams: Attack = {
  name: "idle streams",
  right: "calls of other clients get 200 beside 1,000 streams of one client",
  async run(target, full) {
    await setSupplier(target, { failing: [pendingItem.sku] });
    try {
      const id = await placed(target, "streams", [pendingItem]);
      return outcomeOf(await besideVictims(target, () => holdStreams(target.ports.gateway, full, id)));
    } finally {
      await setSupplier(target, { failing: [] });
    }
  },
};
