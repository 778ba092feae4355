import { sleep } from "@plumbline/concurrency";
import { besideVictims, bigPage, call, callAs, outcomeOf, placed, seedBigPage, setSupplier } from "../api.ts";
import type { Assault, Attack, Outcome, Target, Watched } from "../attack.ts";
import { nextCallerLine } from "../callers.ts";
import { open, openMany, Tally } from "../sockets.ts";
import { pendingItem } from "./streams.ts";

const requestOf = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${nextCallerLine()}\r\n`;

/** Counts it as a miss if the memory of a service grows by more than `most` MiB. */
async function growth(
  target: Target,
  service: Watched,
  most: number,
  assault: () => Promise<Outcome>,
): Promise<Outcome> {
  const before = target.memory(service);
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, target.memory(service));
  }, 100);
  const { sent, seen, misses } = await assault().finally(() => clearInterval(timer));
  const grown = Math.round(peak - before);
  const text = `${service} grew by ${grown} MiB`;
  return {
    sent,
    seen: `${seen}; ${text}`,
    misses: grown <= most ? misses : [...misses, `${text}, at most ${most} wanted`],
  };
}

/** Needs `seedBigPage`. */
export const leaveAnswers: Assault = async (gateway, full) => {
  const count = full ? 60 : 8;
  using held = await openMany(gateway, 0, "");
  for (let index = 0; index < count; index++) {
    const socket = open(gateway);
    socket.pause();
    socket.write(requestOf(bigPage).repeat(12));
    held.sockets.push(socket);
    await sleep(50);
  }
  await sleep(full ? 8_000 : 2_000);
  return { sent: count * 12, seen: `${held.isOpen()} connections stay open`, misses: [] };
};

export const unreadAnswers: Attack = {
  name: "answers that are not read",
  right: "other clients get 200; the gateway grows by 128 MiB at most",
  async run(target, full) {
    await seedBigPage(target);
    const assault = () => leaveAnswers(target.ports.gateway, full);
    return outcomeOf(await besideVictims(target, () => growth(target, "gateway", 128, assault)));
  },
};

/** Needs `seedBigPage`. */
export const askPages: Assault = async (gateway, full) => {
  const url = typeof gateway === "number" ? `http://127.0.0.1:${gateway}` : `http://${gateway.host}:${gateway.port}`;
  const [clients, rounds] = full ? [72, 3] : [72, 1];
  const statuses = new Tally();
  for (let round = 0; round < rounds; round++) {
    await Promise.all(
      Array.from({ length: clients }, async () => statuses.add((await callAs(`${url}${bigPage}`)).status)),
    );
  }
  const answered = statuses.of(200) + statuses.of(429) + statuses.of(503);
  return {
    sent: clients * rounds,
    seen: `pages ${statuses}`,
    misses: [
      ...(answered === statuses.total ? [] : [`pages got ${statuses}`]),
      ...(statuses.of(200) > 0 ? [] : ["no page was answered with 200"]),
    ],
  };
};

export const bigPages: Attack = {
  name: "big pages at once",
  right: "each page gets 200, 429 or 503; orders grows by 160 MiB at most",
  async run(target, full) {
    await seedBigPage(target);
    return await growth(target, "orders", 160, () => askPages(target.ports.gateway, full));
  },
};

/** The budget of one client, from the defaults of `limits` in the gateway's settings. */
const hangUpBudget = { burst: 200, perSecond: 20 };
/** Hang-ups that a busy gateway has not seen yet when it lets others pass: those of a second. */
const unseen = 400;

export const hangUps: Attack = {
  name: "requests that are given up",
  right: "other clients get 200 while one client hangs up 400 times a second; orders gets 200 at once and 20 a second",
  async run(target, full) {
    await seedBigPage(target);
    const [rate, seconds] = [400, full ? 10 : 3];
    // The order stays pending, so that its stream lasts until it is given up.
    await setSupplier(target, { failing: [pendingItem.sku] });
    try {
      const id = await placed(target, "streams", [pendingItem]);
      // The short form leaves the processor to others: streams of a pending order cost little.
      const watch = requestOf(`/v1/orders/${id}:watch`);
      const given = full ? [requestOf(bigPage), watch] : [watch];
      const before = await streamsOf(target);
      let sent = 0;
      let took = 0;
      const { seen, misses } = await besideVictims(target, async () => {
        const began = performance.now();
        while (performance.now() - began < seconds * 1_000) {
          for (const due = ((performance.now() - began) / 1_000) * rate; sent < due; sent++) {
            const socket = open(target.ports.gateway);
            socket.write(given[sent % given.length] ?? watch, () => setTimeout(() => socket.resetAndDestroy(), 20));
          }
          await sleep(5);
        }
        await sleep(200);
        took = (performance.now() - began) / 1_000;
      });
      const begun = (await streamsOf(target)) - before;
      const most = Math.round(hangUpBudget.burst + hangUpBudget.perSecond * took + unseen);
      return {
        sent,
        seen: `${seen}; ${begun} streams reached orders`,
        misses: begun <= most ? misses : [...misses, `${begun} streams reached orders, at most ${most} wanted`],
      };
    } finally {
      await setSupplier(target, { failing: [] });
    }
  },
};

/** Returns the streams that orders has ended so far. Each one that is given up counts. */
async function streamsOf({ ports }: Target): Promise<number> {
  const { body } = await call(`http://127.0.0.1:${ports.ordersOps}/metrics`);
  const lines = body.matchAll(
    /^rpc_server_call_duration_seconds_count\{[^}]*method="[^"]*\/WatchOrder"[^}]*\} (\d+)/gm,
  );
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}
