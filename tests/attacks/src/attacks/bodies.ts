import { sleep } from "@plumbline/concurrency";
import { besideVictims, outcomeOf } from "../api.ts";
import type { Assault, Attack } from "../attack.ts";
import { nextCallerLine } from "../callers.ts";
import { openMany, statusOf, Tally } from "../sockets.ts";

export const sendHeads: Assault = async (gateway, full) => {
  const count = full ? 1_000 : 600;
  const answered = new Tally();
  const refused = () => answered.of(429) + answered.of(503);
  // While heads are sent to a busy gateway, the first ones may be too slow, and leave their places.
  const least = () => count - 256 - Math.min(answered.of(408), 256);
  const fields = `Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n${nextCallerLine()}`;
  const head = `POST /v1/orders HTTP/1.1\r\n${fields}\r\n{`;
  using _held = await openMany(gateway, count, head, (text) => answered.add(statusOf(text)));
  const began = performance.now();
  while (refused() < least() && performance.now() - began < 15_000) await sleep(100);
  await sleep(full ? 4_000 : 500);
  return {
    sent: count,
    seen: `the attacker ${answered}`,
    misses: refused() >= least() ? [] : [`${refused()} of ${count} bodies were refused, at least ${least()} wanted`],
  };
};

export const slowBody: Attack = {
  name: "bodies that never come",
  right: "other clients get 200; one client has at most 256 bodies under way",
  run: async (target, full) => outcomeOf(await besideVictims(target, () => sendHeads(target.ports.gateway, full))),
};
