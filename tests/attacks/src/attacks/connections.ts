import { sleep } from "@plumbline/concurrency";
import { besideVictims, call, outcomeOf } from "../api.ts";
import type { Assault, Attack } from "../attack.ts";
import { openMany, Tally } from "../sockets.ts";

export const holdConnections: Assault = async (gateway, full) => {
  const count = full ? 10_050 : 1_500;
  using held = await openMany(gateway, count, "");
  const left = held.isOpen();
  // Other clients open new connections meanwhile.
  await sleep(1_000);
  return { sent: count, seen: `${left} stay open`, misses: [] };
};

export const manyConnections: Attack = {
  name: "connections of one address",
  right: "new connections of other clients get 200",
  run: async (target, full) =>
    outcomeOf(await besideVictims(target, () => holdConnections(target.ports.gateway, full))),
};

export const silentOpsConnections: Attack = {
  name: "silent connections to the ops port",
  right: "/readyz gets 200 each time beside 80 silent connections",
  async run(target, full) {
    const statuses = new Tally();
    using _held = await openMany(target.ports.gatewayOps, 80, "");
    for (let ask = 0; ask < (full ? 40 : 15); ask++) {
      const { status } = await call(`http://127.0.0.1:${target.ports.gatewayOps}/readyz`, {
        headers: { connection: "close" },
      });
      statuses.add(status);
      await sleep(50);
    }
    const misses = statuses.of(200) === statuses.total ? [] : [`/readyz got ${statuses}`];
    return { sent: 80, seen: `/readyz ${statuses}`, misses };
  },
};
