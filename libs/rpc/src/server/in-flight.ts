import { Deadlines, derive, type Expiring, onAbort, type Scope } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { ServerCall } from "../call.ts";
import { isAtDeadline } from "../deadline.ts";
import { type CallKind, methodName } from "../definition.ts";
import { Metadata } from "../metadata.ts";
import { ok, type Status, statusOf } from "../status.ts";
import type { IncomingCall } from "../transport.ts";

/** The calls a server is working on. They have their deadlines, and drain together. */
export class InFlight {
  readonly #drain = derive();
  /** Those whose time has not come yet. */
  readonly #inTime = new Deadlines<RunningCall>();
  #running = 0;
  readonly #idle = new Set<() => void>();
  /** Why calls are aborted from now on. */
  #aborted: ServiceError | undefined;

  /**
   * Runs one call and answers it: when `run` has ended, or at once when the call is aborted. It counts as running until `run`
   * ends in either case, since the resources it uses must outlive it.
   */
  accept(path: string, kind: CallKind, incoming: IncomingCall, run: (call: ServerCall) => Promise<void>): void {
    const running = new RunningCall(incoming);
    this.#running++;
    this.#inTime.add(running);
    incoming.onCancel(() => running.abort(whyCancelled(incoming.deadline)));
    const drained =
      kind === "unary"
        ? undefined
        : onAbort(this.#drain.signal, () => running.abort(new ServiceError("unavailable", "the server is draining")));
    if (this.#aborted !== undefined) running.abort(this.#aborted);
    else if (incoming.deadline <= Date.now()) running.expire();

    const call: ServerCall = {
      method: methodName(path),
      kind,
      get signal() {
        return running.signal;
      },
      deadline: incoming.deadline,
      drain: this.#drain.signal,
      metadata: incoming.metadata,
      peer: incoming.peer,
      requests: incoming.requests,
      send: (message) => running.reply.send(message),
      setHeader: (name, value) => running.reply.setHeader(name, value),
      setTrailer: (name, value) => running.reply.trailers.set(name, value),
    };
    const ended = (status: Status): void => {
      running.end(status);
      drained?.[Symbol.dispose]();
      this.#inTime.delete(running);
      this.#running--;
      if (this.#running === 0) for (const resolve of this.#idle) resolve();
    };
    run(call).then(
      () => ended(ok),
      (error: unknown) => ended(statusOf(error)),
    );
  }

  /** Ends streams, those to come included. */
  drain(): void {
    this.#drain.abort(new ServiceError("unavailable", "the server is draining"));
  }

  /** Aborts every call that still runs. */
  abort(reason: ServiceError): void {
    this.#aborted = reason;
    for (const running of this.#inTime) running.abort(reason);
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

/** A call under way: how it is answered, and how it is aborted. */
class RunningCall implements Expiring {
  readonly deadline: number;
  readonly reply: Reply;
  /** Made when the handler asks for its signal: one that returns at once has no use for it. */
  #scope: Scope | undefined;
  #isOver = false;
  #isAborted = false;
  #reason: unknown;

  constructor(incoming: IncomingCall) {
    this.deadline = incoming.deadline;
    this.reply = new Reply(incoming);
  }

  get signal(): AbortSignal {
    if (this.#scope === undefined) {
      this.#scope = derive({ deadline: this.deadline });
      if (this.#isAborted) this.#scope.abort(this.#reason);
    }
    return this.#scope.signal;
  }

  expire(): void {
    this.abort(new DOMException("the deadline of the call passed", "TimeoutError"));
  }

  abort(reason: unknown): void {
    if (this.#isOver || this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    // First the answer, so that it is out before the handler hears that nobody waits for it.
    this.reply.finish(statusOf(reason));
    this.#scope?.abort(reason);
  }

  end(status: Status): void {
    this.#isOver = true;
    this.reply.finish(status);
  }
}

function whyCancelled(deadline: number): DOMException {
  return isAtDeadline(deadline)
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
