/**
 * A load client for a system that must not fail a request while parts of it are replaced: requests arrive at a fixed rate,
 * however slow the answers are (an open loop), at gateways whose /readyz says yes. As a load balancer would, it leaves one
 * that says no and comes back when it says yes; it never sends a request twice.
 */
import { randomUUID } from "node:crypto";
import { Agent, type IncomingMessage, type RequestOptions, request } from "node:http";
import { text } from "node:stream/consumers";
import { sleep } from "@plumbline/concurrency";

export interface SteadyLoadOptions {
  /** Where gateways listen: "http://127.0.0.1:8080". */
  readonly bases: readonly string[];
  readonly perSecond: number;
  /** Ends the load; what was sent by then is still waited for. */
  readonly signal: AbortSignal;
  /** Between two looks at a gateway's readiness, 100 ms when not given. Gateways must drain for longer than two of these. */
  readonly pollMs?: number | undefined;
}

export interface Failure {
  readonly atMs: number;
  readonly request: string;
  /** A status, or why there is none. */
  readonly reason: string;
}

export interface LoadReport {
  readonly sent: number;
  readonly answered: number;
  readonly failures: readonly Failure[];
  /** Answers of each gateway, by its base. */
  readonly byBase: Readonly<Record<string, number>>;
  /** Milliseconds from arrival to the end of the answer. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface SteadyLoad {
  /** What is known by now. */
  report(): LoadReport;
  /** Resolves when the load has ended and everything was answered. */
  readonly ended: Promise<LoadReport>;
}

/** Requests open at once; an arrival beyond is a failure, and not a queue that hides it. */
const mostOpen = 1_000;
const answerMs = 10_000;

export function steadyLoad({ bases, perSecond, signal, pollMs = 100 }: SteadyLoadOptions): SteadyLoad {
  const gateways = bases.map((base) => new Gateway(base, pollMs, signal));
  const failures: Failure[] = [];
  const latencies: number[] = [];
  const began = performance.now();
  let [sent, open, turn] = [0, 0, 0];
  /** Orders placed, to be asked for; the latest only. */
  const orders: string[] = [];

  const arrive = async (): Promise<void> => {
    const at = performance.now();
    const { method, path, body } = nextRequest(sent++, orders);
    const name = `${method} ${path}`;
    const fail = (reason: string): void => void failures.push({ atMs: Math.round(at - began), request: name, reason });
    const ready = gateways.filter(({ isReady }) => isReady);
    const gateway = ready[turn++ % Math.max(1, ready.length)];
    if (gateway === undefined) return fail("no gateway is ready");
    if (open >= mostOpen) return fail(`${mostOpen} requests are open`);
    open++;
    try {
      const answer = await gateway.send(method, path, body);
      if (answer.status >= 300) return fail(`${gateway.base}: ${answer.status} ${answer.text.slice(0, 300)}`);
      gateway.answered++;
      latencies.push(performance.now() - at);
      if (method === "POST") orders[sent % 50] = (JSON.parse(answer.text) as { id: string }).id;
    } catch (error) {
      fail(`${gateway.base}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      open--;
    }
  };

  const run = async (): Promise<LoadReport> => {
    await Promise.all(gateways.map((gateway) => gateway.look()));
    const watching = gateways.map((gateway) => gateway.watch());
    const arrivals: Promise<void>[] = [];
    const start = performance.now();
    while (!signal.aborted) {
      // What was due while this process was busy arrives now: the rate is the clock's, not ours.
      const due = Math.floor(((performance.now() - start) * perSecond) / 1_000);
      while (arrivals.length < due) arrivals.push(arrive());
      await sleep(5);
    }
    await Promise.all(arrivals);
    await Promise.all(watching);
    for (const gateway of gateways) gateway.close();
    return report();
  };

  const report = (): LoadReport => {
    const sorted = latencies.toSorted((a, b) => a - b);
    const quantile = (q: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * q)] ?? 0);
    return {
      sent,
      answered: latencies.length,
      failures: [...failures],
      byBase: Object.fromEntries(gateways.map(({ base, answered }) => [base, answered])),
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      maxMs: quantile(1),
    };
  };
  return { report, ended: run() };
}

interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
}

/** The mix of the public API: greetings, orders placed, read and listed. */
function nextRequest(i: number, orders: readonly string[]): Request {
  const order = orders[i % Math.max(1, orders.length)];
  if (i % 4 === 0) {
    const items = [{ sku: "tea", quantity: 1 + (i % 3) }];
    return { method: "POST", path: "/v1/orders", body: { customerId: `steady-${i % 10}`, items } };
  }
  if (i % 4 === 1 && order !== undefined) return { method: "GET", path: `/v1/orders/${order}` };
  if (i % 4 === 2) return { method: "GET", path: `/v1/orders?customerId=steady-${i % 10}&pageSize=5` };
  return { method: "GET", path: "/v1/greetings/steady" };
}

/** One gateway and the connections to it, which are kept and used again. */
class Gateway {
  readonly base: string;
  isReady = false;
  answered = 0;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #pollMs: number;
  readonly #signal: AbortSignal;

  constructor(base: string, pollMs: number, signal: AbortSignal) {
    this.base = base;
    this.#pollMs = pollMs;
    this.#signal = signal;
  }

  async send(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
    const headers = body === undefined ? {} : { "content-type": "application/json", "idempotency-key": randomUUID() };
    return await exchange(`${this.base}${path}`, { method, headers, agent: this.#agent }, body, answerMs);
  }

  async look(): Promise<void> {
    // On a connection of its own, as a probe does: it learns that the port is closed as well.
    const answer = await exchange(`${this.base}/readyz`, { agent: false }, undefined, 1_000).catch(() => undefined);
    this.isReady = answer?.status === 200;
  }

  async watch(): Promise<void> {
    while (!this.#signal.aborted) {
      await sleep(this.#pollMs);
      await this.look();
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function exchange(
  url: string,
  options: RequestOptions,
  body: unknown,
  ms: number,
): Promise<{ status: number; text: string }> {
  const answer = Promise.withResolvers<IncomingMessage>();
  const sent = request(url, { ...options, signal: AbortSignal.timeout(ms) }, answer.resolve);
  sent.on("error", answer.reject);
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const response = await answer.promise;
  return { status: response.statusCode ?? 0, text: await text(response) };
}
