import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { sleep, within } from "@plumbline/concurrency";
import { type ApiProxy, type ApiServer, eventually, proxyToApi } from "@plumbline/tools-engines";
import { acquireLease, Kube, type Leadership, type LeaseOptions, resourceOf } from "../src/index.ts";

/** Times that a busy machine can keep. */
export const shortLease = { leaseMs: 6_000, deadlineMs: 4_000, everyMs: 400 };

export interface LeaseSuiteOptions {
  /** The kind of server, for the suite's name. */
  readonly name: string;
  readonly server: () => Promise<ApiServer>;
  readonly namespace: string;
}

/** Tests what a lease promises, against an API server behind a proxy with faults. */
export function leaseSuite({ name: serverName, server, namespace }: LeaseSuiteOptions): void {
  let leases = 0;

  async function open(t: TestContext) {
    const name = `lease-${process.pid}-${leases++}`;
    const resource = resourceOf("coordination.k8s.io/v1", "leases", namespace);
    const candidate = async (identity: string, more: Partial<LeaseOptions> = {}): Promise<Candidate> => {
      const proxy = await proxyToApi(server);
      const kube = new Kube({ access: async () => ({ url: proxy.url, namespace }), timeoutMs: 3_000 });
      const lost = Promise.withResolvers<Error>();
      const stop = new AbortController();
      const options = { namespace, name, identity, ...shortLease, onLost: lost.resolve, ...more };
      const leading = acquireLease(kube, { ...options, signal: stop.signal });
      leading.catch(() => undefined);
      t.after(async () => {
        stop.abort();
        await (await leading.catch(() => undefined))?.[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      });
      return { proxy, kube, leading, lost: lost.promise };
    };
    const read = async (kube: Kube) => (await kube.get(resource, name))["spec"] as Readonly<Record<string, unknown>>;
    return { name, resource, candidate, read };
  }

  void describe(`a lease of ${serverName}`, { timeout: 300_000, concurrency: true }, () => {
    void test("is held by one, and passes to the other when it is given back", async (t) => {
      const { candidate, read } = await open(t);
      const first = await candidate("first");
      const leadership = await soon(first.leading);
      const second = await candidate("second");
      const early = await Promise.race([second.leading.then(() => "leads"), sleep(1_500).then(() => "waits")]);
      assert.equal(early, "waits");
      leadership.check();
      const before = await read(first.kube);
      assert.equal(before["holderIdentity"], "first");
      assert.equal(before["leaseDurationSeconds"], 6);
      await leadership[Symbol.asyncDispose]();
      assert.throws(() => leadership.check(), { code: "aborted" });
      assert.notEqual((await read(first.kube))["holderIdentity"], "first");
      (await soon(second.leading)).check();
      const after = await read(second.kube);
      assert.equal(after["holderIdentity"], "second");
      assert.equal(after["leaseTransitions"], Number(before["leaseTransitions"]) + 1);
    });

    for (const [fault, begin] of Object.entries<(proxy: ApiProxy) => void>({
      "its connections are cut": (proxy) => proxy.cut(),
      "the network is silent": (proxy) => proxy.stall(),
      "the server answers 500": (proxy) => proxy.answer(500),
      "the server answers 429": (proxy) => proxy.answer(429),
    })) {
      void test(`is lost at the deadline when ${fault}, before another can have it`, async (t) => {
        const { candidate } = await open(t);
        const first = await candidate("first");
        const leadership = await soon(first.leading);
        const second = await candidate("second");
        begin(first.proxy);
        const won = second.leading.then(() => {
          assert.throws(() => leadership.check(), { code: "aborted" });
        });
        assert.match((await soon(first.lost)).message, /was not renewed for 4000 ms/);
        assert.throws(() => leadership.check(), { code: "aborted" });
        await soon(won);
      });
    }

    void test("outlives a fault that is shorter than the deadline", async (t) => {
      const { candidate } = await open(t);
      const first = await candidate("first");
      const leadership = await soon(first.leading);
      first.proxy.answer(500);
      await sleep(1_000);
      first.proxy.restore();
      const writes = first.proxy.requests.length;
      await eventually(
        () => first.proxy.requests.length,
        (sent) => sent > writes + 2,
      );
      leadership.check();
    });

    void test("is lost at once to one that took it by force", async (t) => {
      const { candidate, resource, name } = await open(t);
      const first = await candidate("first");
      const leadership = await soon(first.leading);
      // A renewal may come between the two requests.
      await eventually(
        async () => {
          const lease = await first.kube.get(resource, name);
          const spec = { ...(lease["spec"] as object), holderIdentity: "thief" };
          return await first.kube.replace(resource, { ...lease, spec }).then(
            () => true,
            () => false,
          );
        },
        (isTaken) => isTaken,
      );
      assert.match((await soon(first.lost)).message, /is held by thief/);
      assert.throws(() => leadership.check(), { code: "aborted" });
    });

    void test("is created again when somebody deletes it", async (t) => {
      const { candidate, read, resource, name } = await open(t);
      const first = await candidate("first");
      const leadership = await soon(first.leading);
      await first.kube.delete(resource, name);
      const holder = () => read(first.kube).then(({ holderIdentity }) => holderIdentity, String);
      await eventually(holder, (found) => found === "first");
      leadership.check();
    });

    void test("a process that is stopped past the deadline writes nothing after it, and ends", async (t) => {
      const { candidate, name } = await open(t);
      const proxy = await proxyToApi(server);
      const old = startProcess(proxy.url, name);
      t.after(async () => {
        old.kill("SIGKILL");
        await proxy[Symbol.asyncDispose]();
      });
      await eventually(
        () => writesOf(proxy).length,
        (count) => count > 10,
        60_000,
      );
      const next = await candidate("next");
      old.kill("SIGSTOP");
      (await soon(next.leading)).check();
      const stopped = writesOf(proxy).length;
      const ended = once(old, "exit");
      old.kill("SIGCONT");
      const [code] = (await soon(ended)) as [number | null];
      assert.equal(code, 1);
      assert.deepEqual(writesOf(proxy).slice(stopped), []);
    });
  });

  function startProcess(url: string, name: string): ChildProcess {
    const program = join(import.meta.dirname, "leading-process.ts");
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    return spawn(process.execPath, ["-C", "source", program, url, namespace, name, "old"], { env, stdio: "ignore" });
  }
}

interface Candidate {
  readonly proxy: ApiProxy;
  readonly kube: Kube;
  readonly leading: Promise<Leadership>;
  readonly lost: Promise<Error>;
}

function writesOf(proxy: ApiProxy): readonly object[] {
  return proxy.requests.filter(({ method, path }) => method !== "GET" && !path.includes("/leases"));
}

function soon<T>(promise: Promise<T>): Promise<T> {
  return within(promise, { ms: 60_000, what: "the lease" });
}
