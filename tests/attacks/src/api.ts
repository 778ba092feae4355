/** The requests of an honest client, from 127.0.0.1. */
import { sleep } from "@plumbline/concurrency";
import type { Target } from "./attack.ts";
import { Tally } from "./sockets.ts";

type Item = { readonly sku: string; readonly quantity: number };

export const tea: readonly Item[] = [{ sku: "tea", quantity: 1 }];

const json = { "content-type": "application/json" };

/** Sends a request and returns its status and document; "no answer" after ten seconds. */
export async function call(url: string, init: RequestInit = {}): Promise<{ status: number | string; body: string }> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(10_000) });
    return { status: response.status, body: await response.text() };
  } catch {
    return { status: "no answer", body: "" };
  }
}

export const base = ({ ports }: Target) => `http://127.0.0.1:${ports.gateway}`;

export function place(target: Target, customerId: string, items: readonly Item[] = tea) {
  const body = JSON.stringify({ customerId, items });
  return call(`${base(target)}/v1/orders`, { method: "POST", headers: json, body });
}

/** Places an order, and throws if it is refused. */
export async function placed(target: Target, customerId: string, items?: readonly Item[]): Promise<string> {
  const { status, body } = await place(target, customerId, items);
  if (status !== 200) throw new Error(`the order of ${customerId} was answered with ${status}: ${body.slice(0, 200)}`);
  return (JSON.parse(body) as { readonly id: string }).id;
}

export async function setSupplier({ ports }: Target, settings: object): Promise<void> {
  const body = JSON.stringify(settings);
  const { status } = await call(`http://127.0.0.1:${ports.supplier}/v1/settings`, { method: "PATCH", body });
  if (status !== 200) throw new Error(`the supplier answered ${status} to new settings`);
}

/** Returns the milliseconds until an order is settled, or undefined if it is not after `ms`. */
export async function settled(target: Target, id: string, ms: number): Promise<number | undefined> {
  const began = performance.now();
  while (performance.now() - began < ms) {
    const { status, body } = await call(`${base(target)}/v1/orders/${id}`);
    if (status === 200 && !body.includes("ORDER_STATUS_PENDING")) return performance.now() - began;
    await sleep(100);
  }
  return undefined;
}

/** A customer whose page of 100 orders is about 1 MB. The same one for all attacks of a run. */
export const bigPage = "/v1/orders?customerId=big&pageSize=100";

export async function seedBigPage(target: Target): Promise<void> {
  if ((await call(`${base(target)}${bigPage}`)).body.length > 100_000) return;
  const items = Array.from({ length: 100 }, (_, index) => ({
    sku: `${String(index).padStart(3, "0")}${"z".repeat(61)}`,
    quantity: 1,
  }));
  for (let order = 0; order < 100; order++) await placed(target, "big", items);
}

/**
 * Runs `attack` while four other clients place orders and read them, then counts what these got.
 * Everything but 200 is a miss.
 */
export async function besideVictims<T>(target: Target, attack: () => Promise<T>) {
  const statuses = new Tally();
  const id = await placed(target, "victim");
  const over = new AbortController();
  let slowest = 0;
  const victim = async () => {
    do {
      for (const ask of [
        () => place(target, "victim"),
        () => call(`${base(target)}/v1/orders/${id}`),
        () => call(`${base(target)}/v1/greetings/victim`),
      ]) {
        const began = performance.now();
        statuses.add((await ask()).status);
        slowest = Math.max(slowest, performance.now() - began);
        await sleep(20);
      }
    } while (!over.signal.aborted);
  };
  const victims = Array.from({ length: 4 }, victim);
  const result = await attack().finally(() => over.abort());
  await Promise.all(victims);
  const seen = `others ${statuses}, slowest ${Math.round(slowest)} ms`;
  const misses = statuses.of(200) === statuses.total ? [] : [`other clients got ${statuses}`];
  return { result, seen, misses };
}
