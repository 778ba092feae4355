import type { DenyList } from "@plumbline/auth";
import { derive, onAbort, type Scope } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import type { Logger } from "@plumbline/telemetry";
import { type Binding, eventOf } from "@plumbline/transcoding";
import type { Request, Response } from "express";
import type { StreamCall } from "../http/api.ts";
import { clientGone } from "../http/client-gone.ts";
import { exchangeOf } from "../http/exchange.ts";
import { recordFailure } from "../http/fail.ts";
import { chooseFormat, type StreamFormat } from "./format.ts";
import { StreamWriter } from "./writer.ts";

/** The times of a stream, in milliseconds. */
export interface StreamTimes {
  /** The time between heartbeats. */
  readonly heartbeatMs: number;
  /**
   * The age at which a stream ends and its client is asked to reconnect, perhaps to another
   * gateway.
   */
  readonly maxAgeMs: number;
  /**
   * The least delay before a client reconnects. A random part of up to the same time is added, to
   * spread the load.
   */
  readonly retryMs: number;
  /**
   * The longest that the response's head waits for a first message. Until then a failure can set
   * the status.
   */
  readonly openMs: number;
  /** The longest that a client may read nothing. */
  readonly stallMs: number;
}

export interface StreamOptions {
  readonly times: () => StreamTimes;
  /** Aborts when the gateway drains: streams then end at once, unlike unary calls. */
  readonly drain: AbortSignal;
  readonly logger: Logger;
  /** The list of callers whose streams end at once. */
  readonly denied?: Pick<DenyList, "watch"> | undefined;
  readonly random?: () => number;
}

/** The reason when the gateway itself ends a stream and asks its client to reconnect. */
const reconnect = new DOMException("the gateway ends this stream; the client reconnects", "AbortError");

/** Codes after which the same stream may work a moment later. */
const transientCodes = new Set(["unavailable", "deadline_exceeded", "resource_exhausted", "aborted"]);

/**
 * Sends a server stream message by message. The next one is requested once the client has read the
 * last one.
 */
export function streamer(
  options: StreamOptions,
): (call: StreamCall, request: Request, response: Response) => Promise<void> {
  return async (call, request, response) => {
    const format = chooseFormat(request);
    using client = derive({ signal: clientGone(request) });
    const stream = new Stream(call.binding, response, format, options, isResumed(call.binding, request));
    await stream.run(call, client);
  };
}

/** Returns true if an EventSource reconnects for the events that it missed. */
function isResumed(binding: Binding, request: Request): boolean {
  return binding.resumeField !== undefined && (request.get("last-event-id") ?? "") !== "";
}

class Stream {
  readonly #binding: Binding;
  readonly #response: Response;
  readonly #format: StreamFormat;
  readonly #options: StreamOptions;
  readonly #times: StreamTimes;
  readonly #resumed: boolean;
  readonly #writer: StreamWriter;

  constructor(binding: Binding, response: Response, format: StreamFormat, options: StreamOptions, resumed: boolean) {
    this.#binding = binding;
    this.#response = response;
    this.#format = format;
    this.#options = options;
    this.#times = options.times();
    this.#resumed = resumed;
    this.#writer = new StreamWriter(response, this.#times.stallMs);
  }

  async run({ upstream, message, metadata, principal }: StreamCall, client: Scope): Promise<void> {
    const { heartbeatMs, maxAgeMs, openMs } = this.#times;
    const { signal } = client;
    // Longer than our own limit, so that the service stops too if this gateway vanishes.
    const timeoutMs = maxAgeMs + 10_000;
    using _drain = onAbort(this.#options.drain, () => client.abort(reconnect));
    // A client that reconnects needs a token that is valid then.
    using _denied = principal && this.#options.denied?.watch(principal, () => client.abort(reconnect));
    const leftMs = principal === undefined ? maxAgeMs : principal.expiresMs - Date.now();
    using _age = timer(Math.min(maxAgeMs, leftMs), () => client.abort(reconnect));
    using _open = timer(openMs, () => this.#open());
    using _heartbeat = heartbeat(heartbeatMs, () => this.#beat());
    try {
      for await (const bytes of upstream.serverStream(this.#binding.rpcPath, message, {
        signal,
        timeoutMs,
        metadata,
      })) {
        this.#open();
        await this.#writer.write(this.#event(bytes), signal);
      }
    } catch (error) {
      return this.#failed(error, signal);
    }
    this.#ended();
  }

  #open(): void {
    if (this.#response.headersSent) return;
    this.#response.statusCode = 200;
    this.#response.setHeader("Content-Type", this.#format.contentType);
    // Neither cached nor transformed on the way. Without the second header nginx buffers events.
    this.#response.setHeader("Cache-Control", "no-store, no-transform");
    this.#response.setHeader("X-Accel-Buffering", "no");
    this.#response.flushHeaders();
    const opening = this.#format.open(this.#reconnectMs());
    if (opening !== "") this.#response.write(opening);
  }

  #beat(): void {
    if (this.#response.headersSent && !this.#response.writableEnded) this.#writer.writeIfIdle(this.#format.heartbeat);
  }

  #event(bytes: Uint8Array): string {
    const { json, id } = eventOf(this.#binding, bytes);
    // Records the time of each message; the span keeps the first 128.
    exchangeOf(this.#response).span?.addEvent("stream.message", { "stream.message.id": id });
    return this.#format.message(json, id);
  }

  #ended(): void {
    // Only this status stops an EventSource from reconnecting. It has missed nothing, and nothing
    // follows.
    if (!this.#response.headersSent && this.#resumed) return void this.#response.status(204).end();
    this.#open();
    this.#writer.end(this.#format.end);
  }

  #failed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted && signal.reason === reconnect) {
      this.#open();
      return this.#writer.end(this.#format.reconnect(this.#reconnectMs()));
    }
    // The client has disconnected.
    if (this.#response.destroyed) return;
    const isTransient = transientCodes.has(codeOf(error));
    // A status of 503 ends an EventSource permanently, though the service may only be restarting.
    if (!this.#response.headersSent && !(this.#resumed && isTransient)) throw error;
    const problem = recordFailure(error, this.#response, this.#options.logger);
    this.#open();
    const retry = isTransient ? this.#format.reconnect(this.#reconnectMs()) : "";
    this.#writer.end(this.#format.failure(JSON.stringify(problem)) + retry);
  }

  #reconnectMs(): number {
    const random = this.#options.random ?? Math.random;
    return Math.round(this.#times.retryMs * (1 + random()));
  }
}

function timer(ms: number, then: () => void): Disposable {
  const handle = setTimeout(then, ms);
  return { [Symbol.dispose]: () => clearTimeout(handle) };
}

function heartbeat(ms: number, beat: () => void): Disposable {
  const handle = setInterval(beat, ms);
  return { [Symbol.dispose]: () => clearInterval(handle) };
}
