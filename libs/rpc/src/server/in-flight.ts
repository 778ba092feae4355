import { Deadlines, derive, type Expiring, onAbort, type Scope, steadyNow } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { ServerCall } from "../call.ts";
import { isAtDeadline } from "../deadline.ts";
import { type CallKind, methodName } from "../definition.ts";
import type { Principals } from "../identity/principals.ts";
import { Metadata } from "../metadata.ts";
import type { ShareKeys } from "../shares/share-keys.ts";
import { ok, type Status, statusOf } from "../status.ts";
import type { IncomingCall } from "../transport.ts";

/** The calls in flight of one server. It keeps their deadlines, and drains them. */
export class InFlight {
  readonly #drain = derive();
  /** The calls whose deadline has not passed. */
  readonly #inTime = new Deadlines<RunningCall>();
  #running = 0;
  readonly #idle = new Set<() => void>();
  /** The reason for which every call is aborted from now on. */
  #aborted: ServiceError | undefined;
  readonly #shareKeys: ShareKeys;
  readonly #principals: Principals | undefined;

  constructor(shareKeys: ShareKeys, principals: Principals | undefined) {
    this.#shareKeys = shareKeys;
    this.#principals = principals;
  }

  /**
   * Runs a call. It is answered when `run` has ended, or at once when the call is aborted. It
   * counts as in flight until `run` has ended in either case, since the resources that it uses must
   * outlive it.
   */
  accept(path: string, kind: CallKind, incoming: IncomingCall, run: (call: ServerCall) => Promise<void>): void {
    const shareKeys = this.#shareKeys;
    const principal = this.#principals?.of(incoming.metadata, incoming.peer);
    const running = new RunningCall(incoming);
    this.#running++;
    this.#inTime.add(running);
    incoming.onCancel(() => running.abort(whyCancelled(incoming.deadline)));
    const drained =
      kind === "unary"
        ? undefined
        : onAbort(this.#drain.signal, () => running.abort(new ServiceError("unavailable", "the server is draining")));
    if (this.#aborted !== undefined) running.abort(this.#aborted);
    else if (incoming.deadline <= steadyNow()) running.expire();

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
      get shareKey() {
        return shareKeys.of(incoming.metadata, incoming.peer);
      },
      get share() {
        return shareKeys.boundOf(incoming.metadata, incoming.peer);
      },
      principal,
      requests: incoming.requests,
      send: (message) => running.reply.send(message),
      sent: () => incoming.sent?.(),
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

  /** Ends all streams, and those that begin later. */
  drain(): void {
    this.#drain.abort(new ServiceError("unavailable", "the server is draining"));
  }

  /** Aborts every call in flight, and those that begin later. */
  abort(reason: ServiceError): void {
    this.#aborted = reason;
    for (const running of this.#inTime) running.abort(reason);
  }

  /** Waits until no call is in flight, at most `ms`. Resolves with false if some still are. */
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

/** A call in flight, which ends by its handler or by an abort. */
class RunningCall implements Expiring {
  readonly deadline: number;
  readonly reply: Reply;
  /**
   * Created when the handler reads its signal, which most handlers that return at once never do.
   */
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
    this.abort(new DOMException("the deadline passed", "TimeoutError"));
  }

  abort(reason: unknown): void {
    if (this.#isOver || this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    // The status goes out before the handler learns that the call was aborted.
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

/** The response to the client: headers before the first message, and one status at the end. */
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
    if (this.#begun) throw new Error(`cannot set ${name}: the headers are already sent`);
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
    // Headers that were set go out with an error too, in a frame of their own.
    this.#begin();
    this.#incoming.finish(status, this.trailers);
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    if (this.#headers.size > 0) this.#incoming.sendHeaders(this.#headers);
  }
}
