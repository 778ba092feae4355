import { type Abortable, Deadlines } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { HeaderField } from "@plumbline/http2";
import type { UnaryResponse } from "../../client/channel.ts";
import { parseTarget } from "../../discovery/target.ts";
import { diallingTls } from "../../tls/dial.ts";
import type { ClientTransport, ClientTransportOptions, OutgoingCall } from "../../transport.ts";
import { noFreeStream, streamWaitMs } from "../stream-wait.ts";
import { Balancer } from "./balancer.ts";
import { Dialling } from "./dialling.ts";
import type { Dispatcher, Outgoing } from "./outgoing.ts";
import { StreamOutgoing } from "./stream-outgoing.ts";
import { UnaryOutgoing } from "./unary-outgoing.ts";

/** Throws `invalid_argument` for an invalid target or invalid certificates. */
export function connect(options: ClientTransportOptions): ClientTransport {
  return new Http2Client(options);
}

const http = new HeaderField(":scheme", "http");
const https = new HeaderField(":scheme", "https");

/** A client that finds a connection for each call, or queues it. */
class Http2Client implements ClientTransport, Dispatcher {
  readonly maxMessageBytes: number;
  readonly scheme: HeaderField;
  readonly authority: HeaderField;
  readonly #balancer: Balancer;
  readonly #calls = new Deadlines<Outgoing>();
  /**
   * Calls without a connection, in order of arrival, and when each began to wait. Each waits until
   * its deadline at most, and not as long for a stream of a full connection.
   */
  readonly #waiting = new Map<Outgoing, number>();
  #waitTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ClientTransportOptions) {
    const { tls, maxMessageBytes, keepaliveMs, keepaliveTimeoutMs, onTooManyPings } = options;
    const target = parseTarget(options.target, options.resolvers);
    this.maxMessageBytes = maxMessageBytes;
    this.scheme = tls === undefined ? http : https;
    this.authority = new HeaderField(":authority", target.authority, { repeats: true });
    const keepalive = { intervalMs: keepaliveMs, timeoutMs: keepaliveTimeoutMs };
    const dialling = new Dialling({ keepalive, tls: diallingTls(options, target.host), onTooManyPings });
    this.#balancer = new Balancer(target, dialling, {
      ...options,
      onChange: () => this.#dispatchWaiting(),
    });
  }

  unary(outgoing: OutgoingCall, request: Uint8Array): Promise<UnaryResponse> {
    return new Promise((resolve, reject) => {
      this.#begin(new UnaryOutgoing(this, outgoing, request, resolve, reject));
    });
  }

  async *stream(
    outgoing: OutgoingCall,
    requests: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    using call = new StreamOutgoing(this, outgoing, requests);
    this.#begin(call);
    for (let message = await call.read(); message !== undefined; message = await call.read()) yield message;
  }

  ready(options: Abortable): Promise<void> {
    return this.#balancer.ready(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#waitTimer);
    for (const call of this.#calls) call.cancel(new ServiceError("cancelled", "the channel was closed"));
    await this.#balancer.close();
  }

  #begin(call: Outgoing): void {
    if (this.#isClosed) throw new ServiceError("unavailable", "the channel is closed");
    call.begin();
    this.#calls.add(call);
    this.dispatch(call);
  }

  dispatch(call: Outgoing): void {
    // First in, first out.
    if (this.#waiting.size === 0 && this.#tryDispatch(call)) return;
    this.#waiting.set(call, performance.now());
    this.#waitTimer ??= setTimeout(() => this.#endWaits(), streamWaitMs).unref();
  }

  /** Ends the calls that have waited too long for a stream of a full connection. */
  #endWaits(): void {
    this.#waitTimer = undefined;
    if (this.#balancer.isConnected) {
      const since = performance.now() - streamWaitMs;
      for (const [call, startedAt] of this.#waiting) {
        // Timers may fire a fraction of a millisecond early.
        if (startedAt > since + 1) break;
        call.fail(noFreeStream(this.authority.value));
      }
    }
    const [oldest] = this.#waiting.values();
    if (oldest === undefined) return;
    const leftMs = oldest + streamWaitMs - performance.now();
    this.#waitTimer = setTimeout(() => this.#endWaits(), leftMs > 0 ? leftMs : streamWaitMs).unref();
  }

  ended(call: Outgoing): void {
    this.#calls.delete(call);
    this.#waiting.delete(call);
  }

  #dispatchWaiting(): void {
    for (const call of this.#waiting.keys()) if (!this.#tryDispatch(call)) return;
  }

  /** Returns false if the call has to wait. */
  #tryDispatch(call: Outgoing): boolean {
    try {
      const connection = this.#balancer.pick();
      if (connection === undefined) return false;
      // Before the attempt: within it the call may end, or others may get their turn.
      this.#waiting.delete(call);
      call.attempt(connection);
    } catch (error) {
      call.fail(error);
    }
    return true;
  }
}
