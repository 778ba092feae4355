/** The requests of an honest client, from 127.0.0.1. */
import { sleep } from "@plumbline/concurrency";
import type { Outcome, Target } from "./attack.ts";
import { nextCaller } from "./callers.ts";
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

/** Sends a request as the next caller. */
export function callAs(url: string, init: RequestInit = {}): ReturnType<typeof call> {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(nextCaller())) headers.set(name, value);
  return call(url, { ...init, headers });
}

/** The stack of this machine, or the URL of a gateway. */
type Gateway = Target | string;

export const base = (gateway: Gateway) =>
  typeof gateway === "string" ? gateway : `http://127.0.0.1:${gateway.ports.gateway}`;

export function place(target: Gateway, customerId: string, items: readonly Item[] = tea) {
  const body = JSON.stringify({ customerId, items });
  return callAs(`${base(target)}/v1/orders`, { method: "POST", headers: json, body });
}

/** Places an order, and throws if it is refused. */
export async function placed(target: Gateway, customerId: string, items?: readonly Item[]): Promise<string> {
  const { status, body } = await place(target, customerId, items);
  if (status !== 200) throw new Error(`the order of ${customerId} was answered with ${status}: ${body.slice(0, 200)}`);
  return (JSON.parse(body) as { readonly id: string }).id;
}

export const setSupplier = ({ ports }: Target, settings: object) =>
  setSupplierAt(`http://127.0.0.1:${ports.supplier}`, settings);

export async function setSupplierAt(url: string, settings: object): Promise<void> {
  const { status } = await call(`${url}/v1/settings`, { method: "PATCH", body: JSON.stringify(settings) });
  if (status !== 200) throw new Error(`the supplier answered ${status} to new settings`);
}

/** Returns the milliseconds until an order is settled, or undefined if it is not after `ms`. */
export async function settled(target: Target, id: string, ms: number): Promise<number | undefined> {
  const began = performance.now();
  while (performance.now() - began < ms) {
    const { status, body } = await callAs(`${base(target)}/v1/orders/${id}`);
    if (status === 200 && !body.includes("ORDER_STATUS_PENDING")) return performance.now() - began;
    await sleep(100);
  }
  return undefined;
}

/** A customer whose page of 100 orders is about 1 MB. The same one for all attacks of a run. */
export const bigPage = "/v1/orders?customerId=big&pageSize=100";

export async function seedBigPage(target: Gateway): Promise<void> {
  if ((await callAs(`${base(target)}${bigPage}`)).body.length > 100_000) return;
  const items = Array.from({ length: 100 }, (_, index) => ({
    sku: `${String(index).padStart(3, "0")}${"z".repeat(61)}`,
    quantity: 1,
  }));
  for (let order = 0; order < 100; order++) await placed(target, "big", items);
}

/** The answers to other clients, as text. */
export interface VictimsReport {
  readonly seen: string;
  /** One sentence if it was not 200 each time. */
  readonly misses: readonly string[];
}

/**
 * Runs `attack` while four other clients place orders and read them, then counts what these got.
 * Everything but 200 is a miss.
 */
export async function besideVictims<T>(target: Target, attack: () => Promise<T>) {
  const over = new AbortController();
  const victims = beVictims(target, over.signal);
  const [result, report] = await Promise.all([attack().finally(() => over.abort()), victims]);
  return { result, ...report };
}

/** Joins what the attacker and the other clients saw. */
export function outcomeOf({ result, seen, misses }: VictimsReport & { readonly result: Outcome }): Outcome {
  return { sent: result.sent, seen: `${seen}; ${result.seen}`, misses: [...misses, ...result.misses] };
}

/** Asks as four clients until the signal, at least once each. Everything but 200 is a miss. */
export async function beVictims(gateway: Gateway, until: AbortSignal): Promise<VictimsReport> {
  const statuses = new Tally();
  const id = await placed(gateway, "victim");
  let slowest = 0;
  const victim = async () => {
    do {
      for (const ask of [
        () => place(gateway, "victim"),
        () => callAs(`${base(gateway)}/v1/orders/${id}`),
        () => call(`${base(gateway)}/v1/greetings/victim`, { headers: { connection: "close" } }),
      ]) {
        const began = performance.now();
        statuses.add((await ask()).status);
        slowest = Math.max(slowest, performance.now() - began);
        await sleep(20);
      }
    } while (!until.aborted);
  };
  await Promise.all(Array.from({ length: 4 }, victim));
  return {
    seen: `others ${statuses}, slowest ${Math.round(slowest)} ms`,
    misses: statuses.of(200) === statuses.total ? [] : [`other clients got ${statuses}`],
  };
}
