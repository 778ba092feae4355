import { sleep } from "@plumbline/concurrency";
import { besideVictims, placed, setSupplier } from "../api.ts";
import type { Attack } from "../attack.ts";
import { openMany, statusOf, Tally } from "../sockets.ts";

export const idleStreams: Attack = {
  name: "idle streams",
  right: "calls of other clients get 200 beside 1,000 streams of one client",
  async run(target, full) {
    const count = full ? 1_000 : 400;
    const heads = new Tally();
    // The order stays pending, so that its streams stay open.
    await setSupplier(target, { failing: ["kettle"] });
    try {
      const id = await placed(target, "streams", [{ sku: "kettle", quantity: 1 }]);
      const head = `GET /v1/orders/${id}:watch HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
      const { seen, misses } = await besideVictims(target, async () => {
        using _held = await openMany(target.ports.gateway, count, head, (text) => {
          if (text.startsWith("HTTP/")) heads.add(statusOf(text));
        });
        await sleep(full ? 4_000 : 1_500);
      });
      return { sent: count, seen: `${seen}; the attacker ${heads}`, misses };
    } finally {
      await setSupplier(target, { failing: [] });
    }
  },
};
