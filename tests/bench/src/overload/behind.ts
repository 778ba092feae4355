import { setTimeout as wait } from "node:timers/promises";
import { Semaphore } from "@plumbline/concurrency";
import { GreeterService } from "@plumbline/contracts";
import { codeOf } from "@plumbline/errors";
import { connect, createClient, serve, service } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";

const places = 16;
const workMs = 50;
const deadlineMs = 1_000;
/**
 * The capacity in calls a second, like a service whose statements wait for one of 16 connections.
 */
export const capacity = (places * 1_000) / workMs;

export interface Behind {
  readonly goodput: number;
  readonly shed: number;
  readonly late: number;
  /** Latencies of the answered calls, in ms from the moment when they were due. */
  readonly p99: number;
}

/**
 * Calls a service with a queue behind it at fixed rates, one after another. Measures the second
 * half of each.
 */
export async function behind(adaptive: boolean, rates: readonly number[], ms: number): Promise<Behind[]> {
  const permits = new Semaphore(places);
  const greeter = service(GreeterService, {
    async sayHello({ name }, { signal }) {
      using _permit = await permits.acquire({ signal });
      await wait(workMs, undefined, { signal });
      return { message: name };
    },
  });
  const options = { host: "127.0.0.1", port: 0, transport: "http2", adaptive } as const;
  await using server = await serve({ services: [greeter], telemetry: noTelemetry }, options);
  const target = `ipv4:127.0.0.1:${server.port}`;
  await using channel = await connect(target, noTelemetry, { transport: "http2" });
  const client = createClient(GreeterService, channel);
  const all: Behind[] = [];
  for (const rate of rates) all.push(await atRate(rate));
  return all;

  async function atRate(rate: number): Promise<Behind> {
    const start = performance.now();
    const latencies: number[] = [];
    let [shed, late] = [0, 0];
    const call = async (due: number): Promise<void> => {
      const counted = due - start > ms / 2;
      try {
        await client.sayHello({ name: "Ada" }, { timeoutMs: deadlineMs });
        if (counted) latencies.push(performance.now() - due);
      } catch (error) {
        if (counted && codeOf(error) === "unavailable") shed++;
        else if (counted) late++;
      }
    };
    const calls: Promise<void>[] = [];
    for (let n = 0; (n * 1_000) / rate < ms; n++) {
      const due = start + (n * 1_000) / rate;
      const left = due - performance.now();
      if (left > 0) await wait(left);
      calls.push(call(due));
    }
    await Promise.all(calls);
    latencies.sort((a, b) => a - b);
    const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN;
    const count = latencies.length + shed + late;
    return { goodput: latencies.length / (ms / 2_000), shed: shed / count, late: late / count, p99 };
  }
}
