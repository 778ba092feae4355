import { sleep } from "@plumbline/concurrency";
import { base, besideVictims, bigPage, call, seedBigPage } from "../api.ts";
import type { Attack, Target, Watched } from "../attack.ts";
import { open, openMany, Tally } from "../sockets.ts";

const requestOf = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
const request = requestOf(bigPage);

/** Returns a sentence if the memory of a service has grown by more than `most` MiB. */
async function growth(target: Target, service: Watched, most: number, attack: () => Promise<unknown>) {
  const before = target.memory(service);
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, target.memory(service));
  }, 100);
  await attack().finally(() => clearInterval(timer));
  const grown = Math.round(peak - before);
  return {
    text: `${service} grew by ${grown} MiB`,
    misses: grown <= most ? [] : [`${service} grew by ${grown} MiB, at most ${most} wanted`],
  };
}

export const unreadAnswers: Attack = {
  name: "answers that are not read",
  right: "other clients get 200; the gateway grows by 128 MiB at most",
  async run(target, full) {
    await seedBigPage(target);
    const count = full ? 60 : 8;
    const { result, seen, misses } = await besideVictims(target, () =>
      growth(target, "gateway", 128, async () => {
        using held = await openMany(target.ports.gateway, 0, "");
        for (let index = 0; index < count; index++) {
          const socket = open(target.ports.gateway);
          socket.pause();
          socket.write(request.repeat(12));
          held.sockets.push(socket);
          await sleep(50);
        }
        await sleep(full ? 8_000 : 2_000);
      }),
    );
    return { sent: count * 12, seen: `${seen}; ${result.text}`, misses: [...misses, ...result.misses] };
  },
};

export const bigPages: Attack = {
  name: "big pages at once",
  right: "each page gets 200, 429 or 503; orders grows by 160 MiB at most",
  async run(target, full) {
    await seedBigPage(target);
    const [clients, rounds] = full ? [72, 3] : [72, 1];
    const statuses = new Tally();
    const { text, misses } = await growth(target, "orders", 160, async () => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(
          Array.from({ length: clients }, async () => statuses.add((await call(`${base(target)}${bigPage}`)).status)),
        );
      }
    });
    const answered = statuses.of(200) + statuses.of(429) + statuses.of(503);
    return {
      sent: clients * rounds,
      seen: `${statuses}; ${text}`,
      misses: [
        ...misses,
        ...(answered === statuses.total ? [] : [`pages got ${statuses}`]),
        ...(statuses.of(200) > 0 ? [] : ["no page was answered with 200"]),
      ],
    };
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
