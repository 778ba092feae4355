import { deadline, derive, onAbort } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { ServerCall } from "./call.ts";
import { type CallKind, methodName } from "./definition.ts";
import { Metadata } from "./metadata.ts";
import { ok, type Status, statusOf } from "./status.ts";
import type { IncomingCall } from "./transport.ts";

/** The calls a server is working on: each has its scope, and they drain together. */
export class InFlight {
  readonly #drain = derive();
  readonly #grace = derive();
  #running = 0;
  readonly #idle = new Set<() => void>();

  /**
   * Runs one call in a scope of its own and answers it: when `run` has ended, or at once when the scope aborts. The call
   * counts as running until `run` ends in either case, since the resources it uses must outlive it.
   */
  accept(path: string, kind: CallKind, incoming: IncomingCall, run: (call: ServerCall) => Promise<void>): void {
    using stack = new DisposableStack();
    const parent = { signal: this.#grace.signal };
    const scope = stack.use(
      incoming.deadline === Number.POSITIVE_INFINITY
        ? derive(parent)
        : deadline(incoming.deadline - Date.now(), parent),
    );
    const { signal } = scope;
    incoming.onCancel(() => scope.abort(whyCancelled(incoming.deadline)));
    if (kind !== "unary") {
      stack.use(
        onAbort(this.#drain.signal, () => scope.abort(new ServiceError("unavailable", "the server is draining"))),
      );
    }

    const reply = new Reply(incoming);
    // Before `run`, so that an answer is out before the handler hears that nobody waits for it.
    stack.use(onAbort(signal, () => reply.finish(statusOf(signal.reason))));
    const call: ServerCall = {
      method: methodName(path),
      kind,
      signal,
      drain: this.#drain.signal,
      metadata: incoming.metadata,
      peer: incoming.peer,
      requests: incoming.requests,
      send: (message) => reply.send(message),
      setHeader: (name, value) => reply.setHeader(name, value),
      setTrailer: (name, value) => reply.trailers.set(name, value),
    };

    const held = stack.move();
    this.#running++;
    void run(call)
      .then(
        () => reply.finish(ok),
        (error: unknown) => reply.finish(statusOf(error)),
      )
      .finally(() => {
        held.dispose();
        this.#running--;
        if (this.#running === 0) for (const resolve of this.#idle) resolve();
      });
  }

  /** Ends streams, those to come included. */
  drain(): void {
    this.#drain.abort(new ServiceError("unavailable", "the server is draining"));
  }

  /** Aborts every call that still runs. */
  abort(reason: ServiceError): void {
    this.#grace.abort(reason);
  }

  /** Whether every call had ended within `ms`. */
  async idle(ms: number): Promise<boolean> {
    if (this.#running === 0) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.add(resolve);
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
    this.#idle.delete(resolve);
    return this.#running === 0;
  }
}

/**
 * At the deadline both sides give up, and the client's cancelling may come in just before our own timer fires. It is the
 * same event: without the slack its code would depend on who was a millisecond faster.
 */
function whyCancelled(deadline: number): DOMException {
  return Date.now() >= deadline - 20
    ? new DOMException("the deadline passed", "TimeoutError")
    : new DOMException("the client cancelled the call", "AbortError");
}

/** What goes back to the client: headers before the first message, one status at the end. */
class Reply {
  readonly trailers = new Metadata();
  readonly #headers = new Metadata();
  readonly #incoming: IncomingCall;
  #begun = false;
  #finished = false;

  constructor(incoming: IncomingCall) {
    this.#incoming = incoming;
  }

  setHeader(name: string, value: string | Uint8Array): void {
    if (this.#begun) throw new Error(`the headers are already sent: ${name} comes too late`);
    this.#headers.set(name, value);
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.#finished) throw new ServiceError("cancelled", "the call is over");
    this.#begin();
    await this.#incoming.send(message);
  }

  finish(status: Status): void {
    if (this.#finished) return;
    this.#finished = true;
    if (status.code === 0) this.#begin();
    this.#incoming.finish(status, this.trailers);
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    if (this.#headers.size > 0) this.#incoming.sendHeaders(this.#headers);
  }
}
