import type { Socket } from "node:net";
import { Connection, dial, ErrorCode } from "@plumbline/http2";
import type { Address } from "../../discovery/address.ts";
import { handshakeMs } from "../../tls/defaults.ts";
import { dialTls } from "../../tls/dial.ts";
import type { Dialling } from "./dialling.ts";

/**
 * gRPC's "connection-backoff", but from 100 ms to 5 s, so that a service that restarts is found
 * within seconds.
 */
const backoff = { firstMs: 100, factor: 1.6, jitter: 0.2, maxMs: 5_000 };

export interface SubchannelListener {
  /** Called when it became ready, lost its connection, or has capacity again. */
  changed(): void;
  /** Called when a connection was lost or failed: addresses may have changed. */
  lost(): void;
}

/**
 * One address, with at most one connection that takes calls. It connects on demand, and backs off
 * after failures. A connection that the server is closing ends by itself while a new one is made.
 */
export class Subchannel {
  readonly #address: Address;
  readonly #dialling: Dialling;
  readonly #listener: SubchannelListener;
  readonly #connections = new Set<Connection>();
  #connection: Connection | undefined;
  #state: "idle" | "connecting" | "ready" | "waiting" = "idle";
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** The error of the last attempt. */
  lastError: Error | undefined;

  constructor(address: Address, dialling: Dialling, listener: SubchannelListener) {
    this.#address = address;
    this.#dialling = dialling;
    this.#listener = listener;
  }

  get state(): "idle" | "connecting" | "ready" | "waiting" {
    return this.#state;
  }

  /** Returns the connection if it has capacity for a call. */
  get available(): Connection | undefined {
    return this.#connection?.hasRoom ? this.#connection : undefined;
  }

  /** Connects if idle. */
  connect(): void {
    if (this.#state !== "idle" || this.#isClosed) return;
    this.#state = "connecting";
    let socket: Socket;
    try {
      const tls = this.#dialling.tls?.();
      socket = tls === undefined ? dial(this.#address) : dialTls(this.#address, tls);
    } catch (error) {
      return this.#wait(error as Error); // The reloaded certificates are invalid.
    }
    const tooLong = `connecting took too long${this.#dialling.tls ? ", the TLS handshake included" : ""}`;
    const timeout = setTimeout(() => socket.destroy(new Error(tooLong)), handshakeMs);
    timeout.unref();
    const connection = this.#open(socket, () => clearTimeout(timeout));
    this.#connection = connection;
    this.#connections.add(connection);
  }

  #open(socket: Socket, onReady: () => void): Connection {
    const gone = (error: Error | undefined): void => {
      onReady();
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      if (this.#state === "connecting") this.#wait(error);
      else this.#state = "idle";
      this.#listener.lost();
      this.#listener.changed();
    };
    const { keepalive } = this.#dialling;
    const connection: Connection = new Connection(
      socket,
      "client",
      {
        onSettings: () => {
          onReady();
          if (this.#connection === connection && this.#state === "connecting") {
            this.#state = "ready";
            this.#failures = 0;
          }
          this.#listener.changed();
        },
        onStreamClosed: () => this.#listener.changed(),
        onGoAway: (code, debug) => {
          if (code === ErrorCode.enhanceYourCalm && debug === "too_many_pings") {
            this.#dialling.tooManyPings(keepalive.intervalMs);
          }
          gone(undefined);
        },
        onClose: (error) => {
          this.#connections.delete(connection);
          gone(error ?? new Error(this.#closedEarly));
        },
      },
      { keepalive },
    );
    return connection;
  }

  /** Returns the likeliest cause, since nothing states it. */
  get #closedEarly(): string {
    const why = this.#dialling.tls ? "it may refuse the client's certificate" : "it may expect TLS";
    return `the server closed the connection before HTTP/2 began: ${why}`;
  }

  #wait(error: Error | undefined): void {
    this.lastError = error;
    this.#state = "waiting";
    const longest = Math.min(backoff.maxMs, backoff.firstMs * backoff.factor ** this.#failures++);
    const waitMs = longest * (1 + backoff.jitter * (Math.random() * 2 - 1));
    this.#retry = setTimeout(() => {
      this.#state = "idle";
      this.#listener.changed();
    }, waitMs);
  }

  /** Takes no more calls. Calls in flight go on. */
  drain(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#connection = undefined;
    this.#state = "idle";
    for (const connection of this.#connections) connection.drain();
  }

  destroy(): void {
    this.drain();
    for (const connection of this.#connections) connection.destroy();
  }
}
