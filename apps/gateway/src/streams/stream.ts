import { derive, onAbort, type Scope } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import type { Logger } from "@plumbline/telemetry";
import { type Binding, eventOf } from "@plumbline/transcoding";
import type { Request, Response } from "express";
import type { StreamCall } from "../http/api.ts";
import { clientGone } from "../http/client-gone.ts";
import { exchangeOf } from "../http/exchange.ts";
import { recordFailure } from "../http/fail.ts";
import { chooseFormat } from "./choose-format.ts";
import type { StreamFormat } from "./format.ts";
import { StreamWriter } from "./writer.ts";

/** The times of a stream, in milliseconds. */
export interface StreamTimes {
  /** Between heartbeats. */
  readonly heartbeatMs: number;
  /** A stream older than this ends with the wish to come again: its client moves to where there is room. */
  readonly maxAgeMs: number;
  /** When to come again, at the least; at the most twice that, by chance, so that not all come at once. */
  readonly retryMs: number;
  /** How long the head of the answer waits for a first message, as until then a failure can still have its own status. */
  readonly openMs: number;
  /** How long a client may take nothing. */
  readonly stallMs: number;
}

export interface StreamOptions {
  readonly times: () => StreamTimes;
  /** Aborts when the gateway drains: streams end at once, unlike unary work. */
  readonly drain: AbortSignal;
  readonly logger: Logger;
  readonly random?: () => number;
}

/** Why a stream of the gateway's own making ends; the client is told to come again. */
const comeAgain = new DOMException("the stream ends here and goes on elsewhere", "AbortError");

/** Codes after which the same stream may work in a moment. */
const passing = new Set(["unavailable", "deadline_exceeded", "resource_exhausted", "aborted"]);

/** Sends a server stream as it comes, one message at a time: the service is asked for the next when the client took the last. */
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

/** Whether an EventSource comes back for what it missed. */
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

  async run({ upstream, message, metadata }: StreamCall, client: Scope): Promise<void> {
    const { heartbeatMs, maxAgeMs, openMs } = this.#times;
    const { signal } = client;
    // Beyond our own end, so that a service whose gateway has vanished stops too.
    const timeoutMs = maxAgeMs + 10_000;
    using _drain = onAbort(this.#options.drain, () => client.abort(comeAgain));
    using _age = timer(maxAgeMs, () => client.abort(comeAgain));
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
    // Neither kept nor changed on the way; nginx would collect events until its buffer is full.
    this.#response.setHeader("Cache-Control", "no-store, no-transform");
    this.#response.setHeader("X-Accel-Buffering", "no");
    this.#response.flushHeaders();
    const opening = this.#format.open(this.#times.retryMs);
    if (opening !== "") this.#response.write(opening);
  }

  #beat(): void {
    if (this.#response.headersSent && !this.#response.writableEnded) this.#writer.writeIfIdle(this.#format.heartbeat);
  }

  #event(bytes: Uint8Array): string {
    const { json, id } = eventOf(this.#binding, bytes);
    // When each line went out; the span keeps the first 128.
    exchangeOf(this.#response).span?.addEvent("stream.message", { "stream.message.id": id });
    return this.#format.message(json, id);
  }

  #ended(): void {
    // The one answer after which an EventSource stops coming back. It has missed nothing, and nothing will follow.
    if (!this.#response.headersSent && this.#resumed) return void this.#response.status(204).end();
    this.#open();
    this.#writer.end(this.#format.end);
  }

  #failed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted && signal.reason === comeAgain) {
      this.#open();
      return this.#writer.end(this.#format.again(this.#comeAgainMs()));
    }
    // The client is gone: there is nobody to tell.
    if (this.#response.destroyed) return;
    const passes = passing.has(codeOf(error));
    // A status of 503 would end an EventSource for good, in the middle of what it watches, for a service that restarts.
    if (!this.#response.headersSent && !(this.#resumed && passes)) throw error;
    const problem = recordFailure(error, this.#response, this.#options.logger);
    this.#open();
    const again = passes ? this.#format.again(this.#comeAgainMs()) : "";
    this.#writer.end(this.#format.failure(JSON.stringify(problem)) + again);
  }

  #comeAgainMs(): number {
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
