import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { catalogue } from "./catalogue.ts";
import { Problem, readJson, sendJson, sendProblem } from "./http.ts";
import { changed, defaultSettings, type Settings, SettingsError } from "./settings.ts";

/** One step of a quote, for an observer. `aborted`: the client disconnected before the response. */
export interface QuoteEvent {
  readonly sku: string;
  readonly step: "asked" | "answered" | "failed" | "aborted";
  /** The header from the client: the trace of this quote. */
  readonly traceparent: string | undefined;
}

export interface SupplierOptions {
  /** The default is 127.0.0.1. */
  readonly host?: string;
  /** The port; 0 takes a free one. */
  readonly port: number;
  readonly settings?: Partial<Settings>;
  /** The longest wait of closing for quotes in progress. After it their connections are closed. */
  readonly graceMs?: number;
  readonly onQuote?: (event: QuoteEvent) => void;
  /** Returns a number from 0 to 1, for jitter and failures. */
  readonly random?: () => number;
}

export interface Supplier extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly settings: Settings;
  /** Changes the settings as PATCH does. Throws SettingsError. */
  change(change: Partial<Settings>): void;
}

const maxBodyBytes = 16_384;
const maxConnections = 512;

/**
 * Starts a supplier that answers read-only quotes over HTTP. Rejects if the port is in use.
 * Disposing refuses new connections, finishes quotes in progress, and resolves when the last
 * connection is closed.
 */
export async function startSupplier(options: SupplierOptions): Promise<Supplier> {
  const { host = "127.0.0.1", port, graceMs = 5_000, onQuote = () => {}, random = Math.random } = options;
  let settings = changed(defaultSettings, options.settings ?? {});

  const quote = async (sku: string, quantity: number, signal: AbortSignal) => {
    const article = catalogue.get(sku);
    if (article === undefined) throw new Problem(404, `there is no SKU ${JSON.stringify(sku)}`);
    const { latencyMs, jitterMs, failureRate, failing } = settings;
    if (failing.includes(sku)) throw new Problem(503, "the supplier cannot answer now");
    const delayMs = latencyMs + random() * jitterMs;
    if (delayMs > 0) await sleep(delayMs, undefined, { signal });
    if (random() < failureRate) throw new Problem(503, "the supplier cannot answer now");
    const available = settings.stock[sku] ?? 0;
    const unitPrice = { currencyCode: article.currencyCode, minorUnits: String(article.minorUnits) };
    return { sku, inStock: available >= quantity, available, unitPrice };
  };

  const watched = async (request: IncomingMessage, sku: string, quantity: number, signal: AbortSignal) => {
    const traceparent = request.headers["traceparent"]?.toString();
    const tell = (step: QuoteEvent["step"]) => onQuote({ sku, step, traceparent });
    tell("asked");
    try {
      const answer = await quote(sku, quantity, signal);
      tell("answered");
      return answer;
    } catch (error) {
      tell(signal.aborted ? "aborted" : "failed");
      throw error;
    }
  };

  const route = async (request: IncomingMessage, signal: AbortSignal): Promise<unknown> => {
    const url = new URL(request.url ?? "/", "http://supplier");
    const sku = /^\/v1\/quotes\/([^/]+)$/.exec(url.pathname)?.[1];
    if (sku !== undefined) {
      allow(request, "GET");
      return watched(request, decoded(sku), quantityOf(url), signal);
    }
    if (url.pathname === "/v1/settings") {
      allow(request, "GET", "PATCH");
      if (request.method === "PATCH") settings = changed(settings, await readJson(request, maxBodyBytes));
      return settings;
    }
    if (url.pathname === "/healthz") {
      allow(request, "GET");
      return { status: "ok" };
    }
    throw new Problem(404, "there are /v1/quotes/{sku}, /v1/settings and /healthz");
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const body = await route(request, gone.signal).catch((error: unknown) =>
      gone.signal.aborted ? undefined : problemOf(error),
    );
    // Otherwise an idle connection would delay the closing server until its keep-alive ends.
    response.shouldKeepAlive &&= server.listening;
    if (body instanceof Problem) sendProblem(response, body);
    else if (body !== undefined) sendJson(response, 200, body);
  };

  const server = createServer((request, response) => void answer(request, response));
  server.maxConnections = maxConnections;
  server.requestTimeout = 10_000;
  server.listen(port, host);
  await once(server, "listening"); // Rejects on "error".
  const address = server.address() as AddressInfo;

  return {
    url: `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`,
    port: address.port,
    get settings() {
      return settings;
    },
    change(change) {
      settings = changed(settings, change);
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await new Promise((resolve) => server.close(resolve)); // Closes idle connections at once.
      clearTimeout(cut);
    },
  };
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof SettingsError) return new Problem(400, error.message);
  console.error(error);
  return new Problem(500, "internal");
}

function quantityOf(url: URL): number {
  const text = url.searchParams.get("quantity") ?? "1";
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Problem(400, "quantity must be an integer from 1 to 999999");
  return Number(text);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Problem(400, "the path is not valid percent-encoding");
  }
}

function allow(request: IncomingMessage, ...methods: readonly string[]): void {
  if (!methods.includes(request.method ?? "")) {
    throw new Problem(405, `${request.method} is not allowed here`, { allow: methods.join(", ") });
  }
}
