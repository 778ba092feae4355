import { authorizationFor } from "@plumbline/tools-stack/identity";
import { percentile } from "../demo/verdict.ts";
import { type Request, steadyLoad } from "../steady/steady-load.ts";
import { type Call, Client } from "./client.ts";
import { type Failure, Watchers, type WatchReport } from "./watchers.ts";

const shownFailures = 100;
/**
 * The deadline of each call. Longer than the gateway's own, so that a slow machine makes slow
 * responses and not failures.
 */
const patience = { "grpc-timeout": "9S" };

export interface ArrivalsReport {
  readonly sent: number;
  readonly failed: number;
  /** The latencies of successful requests, in milliseconds. */
  readonly ms: { readonly p50: number; readonly p99: number; readonly max: number };
  /** The first failures, with the time at which each request was sent. */
  readonly failures: readonly Failure[];
  readonly watches: WatchReport;
  /** The orders that were accepted. */
  readonly accepted: readonly string[];
}

export interface ArrivalsOptions {
  readonly url: string;
  /** Requests a second. Every second one uses a connection that lasts. */
  readonly rate: number;
  /** Watchers of orders at the same time. */
  readonly watchers: number;
}

/**
 * Sends requests to one address at a fixed rate until the signal aborts, each once, half of them on
 * connections that last: greetings, orders placed, read and listed. Watchers follow other orders to
 * their end.
 */
export async function runArrivals(
  { url, rate, watchers }: ArrivalsOptions,
  signal: AbortSignal,
): Promise<ArrivalsReport> {
  using client = new Client(url);
  const customerId = `arrivals-${crypto.randomUUID()}`;
  const accepted: string[] = [];
  const failures: Failure[] = [];

  const place = async (keepAlive: boolean) => {
    const { status, body } = await client.send({
      method: "POST",
      path: "/v1/orders",
      headers: {
        ...patience,
        ...(await authorizationFor(url)),
        "content-type": "application/json",
        "idempotency-key": crypto.randomUUID(),
      },
      body: JSON.stringify({ customerId, items: [{ sku: "tea", quantity: 1 }] }),
      keepAlive,
    });
    if (status !== 200) throw new Error(`POST ${status} ${body.slice(0, 200)}`);
    const { id } = JSON.parse(body) as { id: string };
    accepted.push(id);
    return id;
  };
  const read = async (call: Call) => {
    const { status, body } = await client.send({ ...call, headers: { ...patience, ...(await authorizationFor(url)) } });
    if (status !== 200) throw new Error(`GET ${call.path} ${status} ${body.slice(0, 200)}`);
  };
  const ask = async (index: number) => {
    const keepAlive = index % 2 === 0;
    const known = accepted[Math.floor(Math.random() * accepted.length)];
    const kind = (index >> 1) % 8;
    if (kind === 0) await place(keepAlive);
    else if (kind === 1 && known !== undefined) await read({ path: `/v1/orders/${known}`, keepAlive });
    else if (kind < 4) await read({ path: `/v1/orders?customerId=${customerId}&pageSize=5`, keepAlive });
    else await read({ path: "/v1/greetings/steady", keepAlive });
  };
  const one: Request = async (index) => {
    const at = new Date().toISOString();
    try {
      await ask(index);
      return undefined;
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (failures.length < shownFailures) failures.push({ at, problem });
      return problem;
    }
  };

  const followed = new Watchers(
    client,
    () => place(false),
    () => authorizationFor(url),
  );
  const [load] = await Promise.all([steadyLoad(rate, one, signal), followed.run(watchers, signal)]);
  const watches = followed.report;
  const at = (share: number) => Math.round(percentile(load.ms, share));
  return {
    sent: load.sent + watches.begun + watches.unplaced,
    failed: load.failed + watches.unplaced,
    ms: { p50: at(0.5), p99: at(0.99), max: at(1) },
    failures: [...failures, ...watches.failures.slice(0, shownFailures)].toSorted((a, b) => a.at.localeCompare(b.at)),
    watches,
    accepted,
  };
}
