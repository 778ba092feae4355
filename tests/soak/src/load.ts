import { setTimeout as sleep } from "node:timers/promises";
import { type ClientCall, connect, createClient, type Interceptor, type TransportName } from "@plumbline/rpc";
import { Conformance } from "@plumbline/rpc/internals";
import { noTelemetry } from "@plumbline/telemetry";
import { beside, besideExpected } from "./beside.ts";
import type { Gate } from "./gate.ts";
import { inShares, type Lines, mix, narrowBytes } from "./mix.ts";
import { type Expected, Outcomes } from "./outcomes.ts";
import type { Pace } from "./pace.ts";
import type { Ports } from "./servers.ts";
import { maxMessageBytes } from "./service.ts";

export interface LoadOptions {
  readonly transport: TransportName;
  readonly ports: Ports;
  readonly perSecond: number;
  readonly pace: Pace;
  /** The load pauses at this gate while a sample is taken. */
  readonly gate: Gate;
  readonly interceptors: readonly Interceptor<ClientCall>[];
}

export interface Load extends AsyncDisposable {
  readonly outcomes: Outcomes;
  /** Resolves when no call is in flight. Call it only while the gate is closed. */
  atRest(): Promise<void>;
}

/**
 * The most calls in flight. Above it a due call is skipped: the machine is busy with other work.
 */
const mostRunning = 500;

export function expectedOf(): Readonly<Record<string, Expected>> {
  return { ...Object.fromEntries(mix().map((kind) => [kind.name, kind])), ...besideExpected() };
}

/**
 * Makes calls at a fixed rate, independent of responses, with the events beside them, until it is
 * disposed.
 */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const { transport, ports, perSecond, pace, gate } = options;
  const stop = new AbortController();
  const { signal } = stop;
  const outcomes = new Outcomes(expectedOf());
  const stack = new AsyncDisposableStack();
  const open = async (target: string, maxBytes: number) => {
    const { interceptors } = options;
    const settings = { transport, interceptors, maxMessageBytes: maxBytes, timeoutMs: 10_000 };
    return stack.use(await connect(target, noTelemetry, settings));
  };
  const replicas = `ipv4:${ports.replicas.map((port) => `127.0.0.1:${port}`).join(",")}`;
  // Above the servers' bound, so that calls meet that one.
  const channel = await open(replicas, 2 * maxMessageBytes);
  const lines: Lines = {
    channel,
    replicas: createClient(Conformance, channel),
    narrow: createClient(Conformance, await open(replicas, narrowBytes)),
    flaky: createClient(Conformance, await open(`127.0.0.1:${ports.flaky}`, maxMessageBytes)),
    odd: await open(`127.0.0.1:${ports.odd}`, maxMessageBytes),
  };

  const arrivals = async (): Promise<void> => {
    const kinds = inShares(mix());
    let count = 0;
    let since = performance.now();
    let made = 0;
    while (!signal.aborted) {
      // Calls that were due while this process was busy are made now. A pause at the gate, or a
      // long pause
      // of the machine, is not made up.
      let due = Math.floor(((performance.now() - since) * perSecond) / 1_000) - made;
      if (gate.isClosed || due > perSecond) {
        await gate.through();
        since = performance.now();
        made = due = 0;
      }
      for (let index = 0; index < due; index++) {
        made++;
        const { name, run } = kinds.next().value;
        const number = count++;
        if (outcomes.running < mostRunning) void outcomes.count(name, () => run(lines, number));
        else outcomes.heldBack++;
      }
      await sleep(5);
    }
  };
  /** Events that are in the middle of their calls. */
  let busy = 0;
  const forever = async (everyMs: number, task: () => Promise<void>): Promise<void> => {
    while (!signal.aborted) {
      await gate.through();
      busy++;
      await task();
      busy--;
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  };
  const { reborn, compressed, lost, silent } = beside(transport, ports, outcomes);
  const loops = [
    arrivals(),
    forever(pace.rebornMs, reborn),
    forever(pace.rebornMs, compressed),
    forever(pace.lossMs, lost),
    forever(pace.lossMs, silent),
  ];
  return {
    outcomes,
    async atRest() {
      while (outcomes.running + busy > 0) await sleep(5);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      gate.open();
      await Promise.all(loops);
      while (outcomes.running > 0) await sleep(5);
      await stack.disposeAsync();
    },
  };
}
