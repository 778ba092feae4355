import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { sleep } from "@plumbline/concurrency";
import type { Code } from "@plumbline/errors";
import type { Channel, Client } from "@plumbline/rpc";
import type { Conformance } from "@plumbline/rpc/internals";
import { type Expected, givenUp } from "./outcomes.ts";
import { block, kib, maxMessageBytes } from "./service.ts";

/** The channels of the steady load. They live as long as the load. */
export interface Lines {
  /** Two servers, which are drained and replaced in turn, and which end old connections. */
  readonly replicas: Client<typeof Conformance>;
  /** The same, without types. */
  readonly channel: Channel;
  /** The same, for messages of `narrowBytes`. */
  readonly narrow: Client<typeof Conformance>;
  /** A server that is down for a third of the time. */
  readonly flaky: Client<typeof Conformance>;
  /** A server that breaks the protocol in the way that the last part of the path names. */
  readonly odd: Channel;
}

export interface Kind extends Expected {
  readonly name: string;
  /** The frequency, in proportion to the others. */
  readonly share: number;
  readonly run: (lines: Lines, count: number) => Promise<string | void>;
}

export const narrowBytes = 64 * kib;

/**
 * A draining server ends its streams, which clients retry elsewhere. It answers its unary calls.
 */
const stream = { must: ["ok"], may: ["unavailable"] } as const;
const ok = { must: ["ok"] } as const;
const refusals: readonly Code[] = [
  "invalid_argument",
  "not_found",
  "already_exists",
  "aborted",
  "internal",
  "data_loss",
];
const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

/** The kinds of calls, with their frequency and outcome. All but the last few are common. */
export function mix(): readonly Kind[] {
  return [
    {
      name: "small",
      share: 560,
      ...ok,
      run: ({ replicas }, count) => echoed(replicas, "small ".repeat(1 + (count % 30))),
    },
    { name: "64 KiB", share: 20, ...ok, run: ({ replicas }) => echoed(replicas, block) },
    { name: "1 MiB", share: 2, ...ok, run: ({ replicas }) => echoed(replicas, "z".repeat(maxMessageBytes)) },
    { name: "metadata", share: 100, ...ok, run: metadata },
    {
      name: "fails as asked",
      share: 60,
      ...ok,
      async run({ replicas }, count) {
        const code = refusals[count % refusals.length] ?? "unknown";
        await assert.rejects(replicas.unary(`fail ${code}`), { code });
      },
    },
    {
      name: "deadline",
      share: 40,
      must: ["deadline_exceeded"],
      run: async ({ replicas }, count) => void (await replicas.unary("wait", { timeoutMs: 1 + (count % 50) })),
    },
    {
      name: "deadline of a stream",
      share: 10,
      must: ["deadline_exceeded"],
      may: ["unavailable"],
      run: async ({ replicas }) => void (await Array.fromAsync(replicas.serverStream("wait 1", { timeoutMs: 30 }))),
    },
    {
      name: "given up before",
      share: 10,
      must: ["given up"],
      run: async ({ replicas }) => void (await replicas.unary("never", { signal: AbortSignal.abort(givenUp) })),
    },
    { name: "given up while", share: 40, must: ["given up"], run: givenUpWhile },
    {
      name: "given up after",
      share: 20,
      ...ok,
      async run({ replicas }) {
        const controller = new AbortController();
        await replicas.unary("done", { signal: controller.signal });
        controller.abort(givenUp);
      },
    },
    {
      name: "stream given up",
      share: 10,
      must: ["given up"],
      may: ["unavailable"],
      async run({ replicas }) {
        const controller = new AbortController();
        for await (const message of replicas.serverStream("endless", { signal: controller.signal }))
          if (message === "5") controller.abort(givenUp);
      },
    },
    {
      name: "server stream",
      share: 30,
      ...stream,
      async run({ replicas }) {
        assert.equal((await Array.fromAsync(replicas.serverStream("count 20"))).length, 20);
      },
    },
    {
      name: "server stream left",
      share: 20,
      ...stream,
      async run({ replicas }) {
        for await (const message of replicas.serverStream("endless")) if (message === "3") break;
      },
    },
    {
      name: "fast stream left",
      share: 1,
      ...stream,
      async run({ replicas }) {
        for await (const message of replicas.serverStream("count 3000")) if (message === "3") break;
      },
    },
    {
      name: "bulk, read slowly",
      share: 2,
      ...stream,
      async run({ replicas }) {
        for await (const message of replicas.serverStream("bulk 16")) {
          assert.equal(message.length, block.length);
          await nextTurn();
        }
      },
    },
    {
      name: "client stream",
      share: 20,
      ...stream,
      run: async ({ replicas }) => assert.equal(await replicas.clientStream(repeat("abc", 10)), "30"),
    },
    {
      name: "client stream answered early",
      share: 10,
      ...stream,
      run: async ({ replicas }) => assert.equal(await replicas.clientStream(repeat("enough")), "0"),
    },
    {
      name: "client stream that fails",
      share: 5,
      must: ["given up"],
      may: ["unavailable"],
      async run({ replicas }) {
        await replicas.clientStream(failing());
      },
    },
    {
      name: "both ways",
      share: 20,
      ...stream,
      run: async ({ replicas }) =>
        assert.equal((await Array.fromAsync(replicas.bidiStream(repeat("abc", 10)))).length, 10),
    },
    {
      name: "both ways left",
      share: 10,
      ...stream,
      async run({ replicas }) {
        for await (const _ of replicas.bidiStream(repeat("abc"))) break;
      },
    },
    {
      name: "request above the client's bound",
      share: 5,
      must: ["resource_exhausted"],
      run: async ({ narrow }) => void (await narrow.unary("x".repeat(narrowBytes + 1))),
    },
    {
      name: "answer above the client's bound",
      share: 5,
      must: ["resource_exhausted"],
      run: async ({ narrow }) => void (await narrow.unary(`size ${narrowBytes + 1}`)),
    },
    {
      name: "request above the server's bound",
      share: 2,
      must: ["resource_exhausted"],
      run: async ({ replicas }) => void (await replicas.unary("x".repeat(maxMessageBytes + 1))),
    },
    {
      name: "answer above the server's bound",
      share: 2,
      must: ["resource_exhausted"],
      run: async ({ replicas }) => void (await replicas.unary(`size ${maxMessageBytes + 1}`)),
    },
    {
      name: "an unknown method",
      share: 5,
      must: ["unimplemented"],
      run: async ({ channel }) => void (await channel.unary("/plumbline.rpc.Conformance/Missing", bytes)),
    },
    {
      name: "a server that comes and goes",
      share: 20,
      must: ["ok", "unavailable"],
      run: async ({ flaky }) => void (await flaky.unary("there?", { timeoutMs: 5_000 })),
    },
    // "cut" ends the connection, and with it other calls on it.
    odd("compressed", "internal"),
    odd("reset", "internal"),
    odd("http", "unavailable"),
    odd("unfinished", "internal"),
    odd("cut", "unavailable"),
  ];
}

function odd(name: string, outcome: string): Kind {
  return {
    name: `odd: ${name}`,
    share: 2,
    must: [outcome],
    may: ["unavailable"],
    run: async ({ odd }) => void (await odd.unary(`/${name}`, bytes, { timeoutMs: 5_000 })),
  };
}

async function echoed(client: Client<typeof Conformance>, text: string): Promise<void> {
  const answer = await client.unary(text);
  // Not `assert.equal`, which would print a MiB.
  assert.ok(answer === text, `${text.length} characters came back as ${answer.length} others`);
}

async function metadata({ replicas }: Lines): Promise<void> {
  const [headers, trailers] = [Promise.withResolvers<string | undefined>(), Promise.withResolvers<unknown>()];
  await replicas.unary("metadata", {
    metadata: { there: "text", "there-bin": bytes },
    onHeaders: (metadata) => headers.resolve(metadata.get("back")),
    onTrailers: (metadata) => trailers.resolve(metadata.getBinary("back-bin")),
  });
  assert.equal(await headers.promise, "text");
  assert.deepEqual(await trailers.promise, bytes);
}

/** Waits for a random moment of the call, from its first turn on. */
async function givenUpWhile({ replicas }: Lines, count: number): Promise<void> {
  const controller = new AbortController();
  const answer = replicas.unary("wait", { signal: controller.signal });
  const giveUp = async (): Promise<void> => {
    if (count % 3 === 1) await nextTurn();
    if (count % 3 === 2) await sleep(count % 7);
    controller.abort(givenUp);
  };
  await Promise.all([answer, giveUp()]);
}

async function* repeat(text: string, times = Number.POSITIVE_INFINITY): AsyncGenerator<string> {
  for (let index = 0; index < times; index++) yield text;
}

async function* failing(): AsyncGenerator<string> {
  yield "a";
  throw givenUp;
}

/** Returns the kinds in a fixed order with each as often as its share. */
export function* inShares(kinds: readonly Kind[]): Generator<Kind, never> {
  const total = kinds.reduce((sum, { share }) => sum + share, 0);
  const credits = new Map(kinds.map((kind) => [kind, 0]));
  for (;;) {
    let next: Kind | undefined;
    for (const kind of kinds) {
      const credit = (credits.get(kind) ?? 0) + kind.share;
      credits.set(kind, credit);
      if (next === undefined || credit > (credits.get(next) ?? 0)) next = kind;
    }
    if (next === undefined) throw new TypeError("no kinds of calls");
    credits.set(next, (credits.get(next) ?? 0) - total);
    yield next;
  }
}
