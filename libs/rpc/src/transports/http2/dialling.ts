import { longestTimerMs } from "@plumbline/concurrency";
import type { KeepaliveOptions } from "@plumbline/http2";
import type { DialTls } from "../../tls/dial.ts";

export interface DiallingOptions {
  readonly keepalive: KeepaliveOptions;
  /** Asked for each connection; in the clear when not given. */
  readonly tls?: (() => DialTls) | undefined;
  /** The server was pinged too often: from now on it is asked after this time. */
  readonly onTooManyPings?: ((intervalMs: number) => void) | undefined;
}

/** How the connections of a channel are made. */
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
   * A server ended a connection that asked it every `intervalMs` whether it is there: the next ones ask half as often (gRPC A8). Told
   * by several connections of the same interval it is still twice that.
   */
  tooManyPings(intervalMs: number): void {
    const slower = Math.min(intervalMs * 2, longestTimerMs);
    if (slower <= this.#keepalive.intervalMs) return;
    this.#keepalive = { ...this.#keepalive, intervalMs: slower };
    this.#onTooManyPings?.(slower);
  }
}
