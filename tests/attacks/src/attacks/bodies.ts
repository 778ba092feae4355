import { sleep } from "@plumbline/concurrency";
import { besideVictims } from "../api.ts";
import type { Attack } from "../attack.ts";
import { openMany, statusOf, Tally } from "../sockets.ts";

export const slowBody: Attack = {
  name: "bodies that never come",
  right: "other clients get 200; one client has at most 256 bodies under way",
  async run(target, full) {
    const count = full ? 1_000 : 400;
    const refused = new Tally();
    const least = count - 256;
    const head =
      "POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    const { seen, misses } = await besideVictims(target, async () => {
      using _held = await openMany(target.ports.gateway, count, head, (text) => refused.add(statusOf(text)));
      const began = performance.now();
      while (refused.of(429) + refused.of(503) < least && performance.now() - began < 15_000) await sleep(100);
      await sleep(full ? 4_000 : 500);
    });
    return {
      sent: count,
      seen: `${seen}; the attacker ${refused}`,
      misses: [
        ...misses,
        ...(refused.of(429) + refused.of(503) >= least
          ? []
          : [`${refused.total} of ${count} bodies refused, at least ${least} wanted`]),
      ],
    };
  },
};
