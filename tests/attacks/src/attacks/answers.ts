import { sleep } from "@plumbline/concurrency";
import { besideVictims, bigPage, call, outcomeOf, seedBigPage } from "../api.ts";
import type { Assault, Attack, Outcome, Target, Watched } from "../attack.ts";
import { open, openMany, Tally } from "../sockets.ts";

const requestOf = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
const request = requestOf(bigPage);

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
    socket.write(request.repeat(12));
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
      Array.from({ length: clients }, async () => statuses.add((await call(`${url}${bigPage}`)).status)),
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

export const hangUps: Attack = {
  name: "requests that are given up",
  right: "other clients get 200 while one client hangs up 400 times a second",
  async run(target, full) {
    await seedBigPage(target);
    const [rate, seconds] = [400, full ? 10 : 3];
    let sent = 0;
    // The short form leaves the processor to others: it is about hang-ups, not about pages.
    const given = full ? request : requestOf("/v1/orders?customerId=big&pageSize=1");
    const { seen, misses } = await besideVictims(target, async () => {
      const began = performance.now();
      while (performance.now() - began < seconds * 1_000) {
        for (const due = ((performance.now() - began) / 1_000) * rate; sent < due; sent++) {
          const socket = open(target.ports.gateway);
          socket.write(given, () => setTimeout(() => socket.resetAndDestroy(), 6));
        }
        await sleep(5);
      }
    });
    return { sent, seen, misses };
  },
};
