import { PassThrough } from "node:stream";
import { Channel, Pool, Semaphore } from "@plumbline/concurrency";
import type { Contest } from "./contest.ts";
import { fromCompetitors } from "./from-competitors.ts";

type Limit = <T>(task: () => Promise<T>) => Promise<T>;
interface Queue {
  add<T>(task: () => Promise<T>): Promise<T>;
}
interface Sema {
  acquire(): Promise<unknown>;
  release(): void;
}
interface Mutex {
  acquire(): Promise<[number, () => void]>;
}

const atOnce = 8;
const workers = 64;

export function concurrencyContests(competitors: string): Contest[] {
  const { default: pLimit } = fromCompetitors(competitors, "p-limit") as { default: (concurrency: number) => Limit };
  const { default: PQueue } = fromCompetitors(competitors, "p-queue") as {
    default: new (options: { concurrency: number }) => Queue;
  };
  const { Sema: AsyncSema } = fromCompetitors(competitors, "async-sema") as { Sema: new (permits: number) => Sema };
  const { Semaphore: MutexSemaphore } = fromCompetitors(competitors, "async-mutex") as {
    Semaphore: new (permits: number) => Mutex;
  };

  const task = async (): Promise<void> => {};
  const limit = pLimit(atOnce);
  const queue = new PQueue({ concurrency: atOnce });
  const pool = new Pool({ concurrency: atOnce, queue: workers });

  const contests: Contest[] = [
    {
      name: "pool: a task, 64 waiting for 8 places",
      contenders: [
        { name: "Pool", run: (times) => crowd(times, () => pool.run(task)) },
        { name: "p-limit", run: (times) => crowd(times, () => limit(task)) },
        { name: "p-queue", run: (times) => crowd(times, () => queue.add(task)) },
      ],
    },
    {
      name: "channel: a value through 16 places",
      contenders: [
        { name: "Channel", run: throughChannel },
        { name: "node:stream", run: throughStream },
      ],
    },
  ];
  for (const { name, permits, size } of [
    { name: "semaphore: acquire and release, free", permits: 8, size: 1 },
    { name: "semaphore: acquire and release, 64 for 8", permits: 8, size: workers },
  ]) {
    const [ours, sema, mutex] = [new Semaphore(permits), new AsyncSema(permits), new MutexSemaphore(permits)];
    const turns = (times: number, turn: () => Promise<void>) => crowd(times, turn, size);
    contests.push({
      name,
      contenders: [
        { name: "Semaphore", run: (times) => turns(times, async () => (await ours.acquire())[Symbol.dispose]()) },
        {
          name: "async-sema",
          run: (times) =>
            turns(times, async () => {
              await sema.acquire();
              sema.release();
            }),
        },
        {
          name: "async-mutex",
          run: (times) =>
            turns(times, async () => {
              const [, release] = await mutex.acquire();
              release();
            }),
        },
      ],
    });
  }
  return contests;
}

/** `times` turns, by workers that each take one after another. */
async function crowd(times: number, turn: () => Promise<unknown>, size = workers): Promise<void> {
  let left = times;
  await Promise.all(
    Array.from({ length: size }, async () => {
      while (left-- > 0) await turn();
    }),
  );
}

async function throughChannel(times: number): Promise<void> {
  const channel = new Channel<number>(16);
  const reading = (async () => {
    for await (const _ of channel);
  })();
  for (let value = 0; value < times; value++) await channel.send(value);
  channel.close();
  await reading;
}

async function throughStream(times: number): Promise<void> {
  const stream = new PassThrough({ objectMode: true, highWaterMark: 16 });
  const reading = (async () => {
    for await (const _ of stream);
  })();
  for (let value = 0; value < times; value++) {
    if (!stream.write(value)) await new Promise((resolve) => stream.once("drain", resolve));
  }
  stream.end();
  await reading;
}
