import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before, describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, type TestConsul, testConsul, whyNoConsul } from "@plumbline/tools-engines";
import { type Front, frontOf, mostWithin } from "../test/front.ts";
import { type Consul, openConsul } from "./consul.ts";
import { deleteKey, putKey, watchKey } from "./keys.ts";
import type { WatchOptions } from "./watch-query.ts";

describe("a watch", { skip: whyNoConsul() ?? false }, () => {
  let engine: TestConsul;
  let direct: Consul;
  before(async () => {
    engine = await testConsul();
    direct = openConsul({ url: engine.url });
  });
  after(async () => {
    await direct[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  /** Watches a new key through a front. */
  async function watching(options: Partial<WatchOptions> & { timeoutMs?: number } = {}) {
    const front = await frontOf(engine.url);
    const consul = openConsul({ url: front.url, timeoutMs: options.timeoutMs ?? 1_000 });
    const key = `test/${randomUUID()}`;
    const stop = new AbortController();
    const seen: (string | undefined)[] = [];
    const faults: string[] = [];
    const watch = async (): Promise<void> => {
      const onFault = (error: unknown): void => void faults.push((error as Error).message);
      for await (const value of watchKey(consul, key, { onFault, ...options, signal: stop.signal })) seen.push(value);
    };
    const ended = watch();
    return {
      front,
      key,
      seen,
      faults,
      /** Sets the key. Resolves with the number of requests until the watch has seen it. */
      async change(value: string): Promise<number> {
        const before = front.requests.length;
        await putKey(direct, key, value);
        await this.sees(value);
        return front.requests.length - before;
      },
      /** Resolves with the number of requests until the watch sees the value. */
      async sees(value: string | undefined): Promise<number> {
        const before = front.requests.length;
        await eventually(
          () => seen,
          () => seen.length > 0 && seen.at(-1) === value,
          30_000,
        );
        return front.requests.length - before;
      },
      /** Ends the watch and checks that it leaves no connection. */
      async end(): Promise<void> {
        stop.abort();
        await ended;
        await consul[Symbol.asyncDispose]();
        await eventually(
          () => front.connections(),
          (count) => count === 0,
        );
      },
      async [Symbol.asyncDispose]() {
        stop.abort();
        await ended;
        await consul[Symbol.asyncDispose]();
        await front[Symbol.asyncDispose]();
      },
    };
  }

  test("yields the value of a key, each change, and its end", async () => {
    await using watched = await watching();
    await watched.sees(undefined);
    await watched.change("1");
    await watched.change("2");
    await deleteKey(direct, watched.key);
    await watched.sees(undefined);
    assert.deepEqual(watched.seen, [undefined, "1", "2", undefined]);
    assert.deepEqual(watched.faults, []);
    await watched.end();
  });

  test("asks once while nothing changes", async () => {
    await using watched = await watching();
    await watched.sees(undefined);
    await watched.change("1");
    // The first one, the one that the change answered, and the one that waits.
    await eventually(
      () => watched.front.requests.length,
      (count) => count >= 3,
    );
    const before = watched.front.requests.length;
    await sleep(1_500);
    assert.equal(watched.front.requests.length, before);
  });

  // Each fault lasts for three seconds, in which a busy loop would ask a thousand times.
  const faults: Readonly<Record<string, (front: Front) => void>> = {
    "an index of 0": (front) => (front.index = () => "0"),
    "an index that goes back": (front) => {
      let turn = 0;
      front.index = (index) => String(turn++ % 2 === 0 ? Number(index) + 1_000_000 : index);
    },
    "an index that stays while the agent answers at once": (front) => {
      front.index = () => "5";
    },
    "an index that is no number": (front) => (front.index = () => "many"),
    "the status 500": (front) => {
      front.answer = (_, response) => {
        response.writeHead(500).end("rpc error: no leader");
        return true;
      };
    },
    "connections that are cut": (front) => {
      front.answer = (request) => {
        request.socket.destroy();
        return true;
      };
    },
    silence: (front) => (front.answer = () => true),
    "a page of another server": (front) => {
      front.answer = (_, response) => {
        response.writeHead(200).end("<html>");
        return true;
      };
    },
  };
  describe("asks at most once a second, and sees the next change by the second request,", { concurrency: true }, () => {
    for (const [name, begin] of Object.entries(faults)) {
      test(`during and after ${name}`, async () => {
        await using watched = await watching({ waitMs: 500, timeoutMs: 500 });
        const { front } = watched;
        await watched.change("1");
        const { answer, index } = front;
        begin(front);
        const from = performance.now();
        if (name.startsWith("an index")) {
          // The answers themselves are right, so changes are seen during the fault.
          await sleep(1_500);
          for (const value of ["2", "3"]) assert.ok((await watched.change(value)) <= 2);
          if (!/back|stays/.test(name)) assert.ok(watched.faults.some((fault) => fault.includes("an index below 1")));
        } else {
          await putKey(direct, watched.key, "3");
          await sleep(3_000);
          assert.equal(watched.seen.at(-1), "1");
          assert.ok(watched.faults.length > 0);
          for (const fault of watched.faults) assert.ok(fault.includes(front.url), fault);
        }
        // The first request of the fault follows the pace of before. On a busy machine requests
        // arrive late, so they are counted, and one may be late from before.
        const seconds = (performance.now() - from) / 1_000 - 1;
        const during = front.requests.filter((at) => at > from + 1_000);
        assert.ok(during.length >= 1);
        assert.ok(during.length <= seconds + 2, `${during.length} requests in ${seconds} s`);
        Object.assign(front, { answer, index });
        assert.ok((await watched.sees("3")) <= 2);
        assert.ok((await watched.change("4")) <= 2);
        await watched.end();
      });
    }
  });

  test("reads at most ten times a second while its key is written all the time, and sees the last value", async () => {
    await using watched = await watching();
    await watched.sees(undefined);
    const { requests } = watched.front;
    const from = performance.now();
    let written = 0;
    const writer = async (): Promise<void> => {
      while (performance.now() - from < 3_000) await putKey(direct, watched.key, String(++written));
    };
    await Promise.all(Array.from({ length: 8 }, writer));
    const seconds = (performance.now() - from) / 1_000;
    await putKey(direct, watched.key, "last");
    await watched.sees("last");
    const read = mostWithin(requests, 1_000);
    console.log(`    ${Math.round(written / seconds)} writes/s, at most ${read} reads/s`);
    assert.ok(read <= 10, `${read} reads`);
    const gaps = requests.slice(1).map((at, index) => at - (requests[index] ?? 0));
    assert.ok(Math.min(...gaps) >= 90, `${Math.min(...gaps)} ms`);
    assert.ok(watched.seen.length > 2);
  });

  test("does not ask again when other keys below the same path are written", async () => {
    await using watched = await watching();
    await watched.sees(undefined);
    await watched.change("1");
    // The first one, the one that the change answered, and the one that waits.
    await eventually(
      () => watched.front.requests.length,
      (count) => count >= 3,
    );
    const before = watched.front.requests.length;
    for (let n = 0; n < 200; n++) await putKey(direct, `${watched.key}-${n % 10}`, String(n));
    assert.ok(watched.front.requests.length - before <= 1);
  });

  test("a value that is too large is a fault, and the next one is seen at once", async () => {
    const key = `test/${randomUUID()}`;
    await putKey(direct, key, "x".repeat(11));
    const stop = new AbortController();
    const faults: unknown[] = [];
    const onFault = (error: unknown): void => void faults.push(error);
    const values = watchKey(direct, key, { maxBytes: 10, onFault, signal: stop.signal })[Symbol.asyncIterator]();
    const first = values.next();
    await eventually(
      () => faults.length,
      (count) => count > 0,
    );
    await putKey(direct, key, "x".repeat(10));
    assert.equal((await first).value, "x".repeat(10));
    assert.match(String(faults[0]), new RegExp(`the key ${key} of Consul: expected at most 10 bytes`));
    assert.equal(faults.length, 1);
    stop.abort();
    assert.equal((await values.next()).done, true);
  });

  test("an error that onFault throws ends the watch", async () => {
    await using front = await frontOf(engine.url);
    front.answer = (_, response) => {
      response.writeHead(403).end("Permission denied");
      return true;
    };
    await using consul = openConsul({ url: front.url });
    const { signal } = new AbortController();
    const onFault = (error: unknown): void => {
      throw error;
    };
    const values = watchKey(consul, "a", { signal, onFault })[Symbol.asyncIterator]();
    await assert.rejects(values.next(), { code: "permission_denied", message: /403 \(Permission denied\)/ });
  });
});
