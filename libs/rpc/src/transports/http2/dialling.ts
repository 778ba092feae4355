import { longestTimerMs } from "@plumbline/concurrency";
import type { KeepaliveOptions } from "@plumbline/http2";
import type { DialTls } from "../../tls/dial.ts";

export interface DiallingOptions {
  readonly keepalive: KeepaliveOptions;
  /** Returns the TLS options of a connection; no TLS if not given. */
  readonly tls?: (() => DialTls) | undefined;
  /** Called when a server answered "too_many_pings", with the new interval. */
  readonly onTooManyPings?: ((intervalMs: number) => void) | undefined;
}

/** The options of a channel's connections. */
export class Dialling {
  readonly tls: (() => DialTls) | undefined;
  readonly #onTooManyPings: ((intervalMs: number) => void) | undefined;
  #keepalive: KeepaliveOptions;

  constructor({ keepalive, tls, onTooManyPings }: DiallingOptions) {
    this.tls = tls;
    this.#keepalive = keepalive;
    this.#onTooManyPings = onTooManyPings;
  }

  get keepalive(): KeepaliveOptions {
    return this.#keepalive;
  }

  /**
   * Doubles the keepalive interval of new connections after a server closed one for too many pings
   * (gRPC A8). Several connections with the same interval double it once.
   */
  tooManyPings(intervalMs: number): void {
    const slower = Math.min(intervalMs * 2, longestTimerMs);
    if (slower <= this.#keepalive.intervalMs) return;
    this.#keepalive = { ...this.#keepalive, intervalMs: slower };
    this.#onTooManyPings?.(slower);
  }
}
