import { FairSemaphore } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import { z } from "zod";
import type { OrderItem, Quote } from "../domain/order.ts";
import type { AskSuppliers } from "../use-cases/ports.ts";
import { type FetchAllOptions, fetchAll } from "./fetch-all.ts";
import { readText } from "./read-text.ts";
import { type TracedFetch, tracedFetch } from "./traced-fetch.ts";

export interface SuppliersOptions {
  /** The address of the suppliers: `http://127.0.0.1:8090`. */
  readonly url: string;
  /** Requests of one order in flight at a time. */
  readonly concurrency: number;
  /**
   * Requests of all orders in flight at a time. The shares of clients get equal parts of them, and
   * one share at most three quarters. 128 if not given.
   */
  readonly concurrencyInAll?: number | undefined;
  /** The time limit for all requests of one order together, the wait for a place included. */
  readonly timeoutMs: number;
  /** True to send `traceparent` to the suppliers. */
  readonly traceContext?: boolean | undefined;
}

/** A quote is a few hundred bytes. */
const maxAnswerBytes = 16_384;

/**
 * Asks the suppliers over HTTP for all items of an order at once, up to a bound:
 * `GET /v1/quotes/{sku}?quantity=N`. Out of stock and an unknown SKU are answers. A failure aborts
 * the other requests and is thrown as `unavailable` (no answer, 429, 5xx), `deadline_exceeded`, or
 * `internal` (an answer that is no quote).
 */
export function askSuppliersOverHttp(options: SuppliersOptions, telemetry: Telemetry): AskSuppliers {
  const duration = telemetry.metrics.histogram(
    "suppliers_ask_duration_seconds",
    "Time to ask the suppliers for all items of one order.",
    ["outcome"],
  );
  const fetchQuote = tracedFetch(telemetry.tracer, "/v1/quotes/{sku}", options.traceContext ?? false);
  const permits = options.concurrencyInAll ?? 128;
  const places = new FairSemaphore({ permits, perShare: Math.ceil((permits * 3) / 4) });
  telemetry.metrics
    .gauge("suppliers_requests_waiting", "Requests to suppliers that wait for one of the places in all.", [])
    .observe(() => places.waiting);
  return async (items, { signal, share = "" } = {}) => {
    const place = (ended: AbortSignal) => places.acquire({ share, signal: ended });
    const started = performance.now();
    let outcome = "error";
    const attributes = { "order.items": items.length };
    return await telemetry.tracer.span("ask suppliers", { attributes }, async () => {
      try {
        const quotes = await ask(items, fetchQuote, options, { signal, place });
        outcome = "ok";
        return quotes;
      } finally {
        duration.observe({ outcome }, (performance.now() - started) / 1000);
      }
    });
  };
}

async function ask(
  items: readonly OrderItem[],
  fetchQuote: TracedFetch,
  { url, concurrency, timeoutMs }: SuppliersOptions,
  { signal, place }: Pick<FetchAllOptions, "signal" | "place">,
): Promise<Quote[]> {
  const requests = items.map(({ sku, quantity }) => ({
    url: new URL(`v1/quotes/${encodeURIComponent(sku)}?quantity=${quantity}`, url.endsWith("/") ? url : `${url}/`),
    // No supplier needs a redirect, which could lead anywhere.
    init: { headers: { accept: "application/json" }, redirect: "error" as const },
  }));
  try {
    return await fetchAll(requests, (response, index) => quoteOf(response, items[index]?.sku ?? ""), {
      concurrency,
      timeoutMs,
      signal,
      place,
      fetch: fetchQuote,
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof DOMException) || error.name !== "TimeoutError") throw error;
    throw new ServiceError("deadline_exceeded", `the suppliers did not all answer in ${timeoutMs} ms`, {
      cause: error,
    });
  }
}

async function quoteOf(response: Response, sku: string): Promise<Quote> {
  const contentType = response.headers.get("content-type") ?? "";
  // Only the supplier's own 404 counts: a proxy's or a wrong address must not reject every order.
  if (response.status === 404 && contentType.startsWith("application/problem+json")) return { status: "unknown_sku" };
  if (response.status !== 200) {
    const isPassing = response.status >= 500 || response.status === 429;
    throw new ServiceError(
      isPassing ? "unavailable" : "internal",
      `the supplier of ${sku} answered ${response.status}`,
    );
  }
  const answer = Answer.safeParse(parsed(await readText(response, maxAnswerBytes)));
  if (!answer.success) throw misunderstood(sku, answer.error);
  if (answer.data.sku !== sku) throw misunderstood(sku, new Error(`it is about ${answer.data.sku}`));
  return answer.data.inStock ? { status: "in_stock", unitPrice: answer.data.unitPrice } : { status: "out_of_stock" };
}

/** The fields that are read. A supplier may send more. */
const Answer = z.object({
  sku: z.string(),
  inStock: z.boolean(),
  unitPrice: z.object({
    currencyCode: z.string().regex(/^[A-Z]{3}$/),
    minorUnits: z
      .string()
      .regex(/^\d{1,19}$/)
      .transform(BigInt),
  }),
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function misunderstood(sku: string, cause: unknown): ServiceError {
  return new ServiceError("internal", `the supplier's answer about ${sku} is not a quote`, { cause });
}
