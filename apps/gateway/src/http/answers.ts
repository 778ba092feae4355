import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ServiceError } from "@plumbline/errors";
import type { Answer } from "@plumbline/transcoding";
import { Shares } from "./shares.ts";
import { everyMs, Sweep } from "./sweep.ts";

/** The bounds of answers that their clients have not read. */
export interface AnswerLimits {
  readonly bytesPerClient: number;
  readonly bytesInAll: number;
  /** The longest that a client may read nothing. */
  readonly stallMs: number;
}

interface Unsent {
  readonly socket: Socket;
  /** The bytes that the kernel had not taken when this was last compared. */
  left: number;
  /** The time for which they did not change, in whole rounds: a busy process counts less. */
  stalledMs: number;
}

/**
 * Sends answers, and counts the bytes that the kernel has not taken. A client that does not read is
 * refused more of them, and disconnected once it reads nothing for `stallMs`.
 */
export class Answers {
  readonly #limits: () => AnswerLimits;
  readonly #shares: Shares;
  readonly #unsent = new Set<Unsent>();
  readonly #sweep = new Sweep(() => this.#endStalled());

  constructor(limits: () => AnswerLimits) {
    this.#limits = limits;
    this.#shares = new Shares(() => ({ perClient: limits().bytesPerClient, inAll: limits().bytesInAll }));
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#shares.held;
  }

  /**
   * Throws ServiceError OVERLOADED if the client, or all clients, leave too many bytes unread. An
   * answer may exceed the bounds by its own size.
   */
  check(client: string): void {
    const bound = this.#shares.exceeded(client, 1);
    if (bound === undefined) return;
    throw bound === "client"
      ? new ServiceError(
          "resource_exhausted",
          "This client does not read its answers. Read them, then try again after the time in Retry-After.",
          { reason: "OVERLOADED", retryAfterMs: 1000 },
        )
      : new ServiceError(
          "unavailable",
          "The gateway holds too many answers that are not read. Try again after the time in Retry-After.",
          { reason: "OVERLOADED", retryAfterMs: 1000 },
        );
  }

  /** Sends an answer. Text is passed as text: node:http then writes it together with the head. */
  send(response: ServerResponse, client: string, { contentType, body }: Answer): void {
    this.check(client);
    response.statusCode = 200;
    response.setHeader("Content-Type", contentType);
    // The bytes of a service: a browser that shows them runs nothing of them on this origin.
    if (contentType !== "application/json") response.setHeader("Content-Security-Policy", "sandbox");
    response.setHeader("Content-Length", Buffer.byteLength(body));
    response.end(body);
    this.watch(response, client);
  }

  /**
   * Counts the bytes of a response that are still in this process, until it closes. Usually there
   * are none.
   */
  watch(response: ServerResponse, client: string): void {
    const bytes = response.writableLength;
    if (bytes === 0) return;
    const { socket } = response.req;
    const unsent: Unsent = { socket, left: leftOf(socket), stalledMs: 0 };
    this.#shares.add(client, bytes);
    this.#unsent.add(unsent);
    this.#sweep.start();
    response.once("close", () => {
      this.#shares.remove(client, bytes);
      this.#unsent.delete(unsent);
    });
  }

  /** Disconnects clients that read nothing. Returns true while some answers are unsent. */
  #endStalled(): boolean {
    const { stallMs } = this.#limits();
    for (const unsent of this.#unsent) {
      const left = leftOf(unsent.socket);
      unsent.stalledMs = left === unsent.left ? unsent.stalledMs + everyMs : 0;
      unsent.left = left;
      if (unsent.stalledMs >= stallMs) unsent.socket.destroy();
    }
    return this.#unsent.size > 0;
  }
}

/**
 * Returns the bytes that the kernel has not taken. `writableLength` shrinks only once a whole write
 * has ended: for a client that reads slowly the handle knows more.
 */
function leftOf(socket: Socket): number {
  const handle = (socket as { _handle?: { writeQueueSize?: number } })._handle;
  return handle?.writeQueueSize ?? socket.writableLength;
}
