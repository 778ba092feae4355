import type { Principal } from "@plumbline/auth";
import { Deadlines, derive, type Expiring, onAbort, type Scope, steadyNow } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { ServerCall } from "../call.ts";
import { isAtDeadline } from "../deadline.ts";
import { type CallKind, methodName } from "../definition.ts";
import type { Principals } from "../identity/principals.ts";
import type { SpiffeIdentity } from "../identity/spiffe.ts";
import { Metadata, type MetadataValue } from "../metadata.ts";
import type { ShareKeys } from "../shares/share-keys.ts";
import { ok, type Status, statusOf } from "../status.ts";
import type { IncomingCall, Requests } from "../transport.ts";

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
    const call = new RunningCall(path, kind, incoming, {
      shareKeys: this.#shareKeys,
      drain: this.#drain.signal,
      principal: this.#principals?.of(incoming),
    });
    this.#running++;
    this.#inTime.add(call);
    incoming.onCancel(() => call.abort(whyCancelled(incoming.deadline)));
    const drained =
      kind === "unary"
        ? undefined
        : onAbort(this.#drain.signal, () => call.abort(new ServiceError("unavailable", "the server is draining")));
    if (this.#aborted !== undefined) call.abort(this.#aborted);
    else if (incoming.deadline <= steadyNow()) call.expire();

    const ended = (status: Status): void => {
      call.end(status);
      drained?.[Symbol.dispose]();
      this.#inTime.delete(call);
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

/** The parts of a call that come from its server. */
interface FromServer {
  readonly shareKeys: ShareKeys;
  readonly drain: AbortSignal;
  readonly principal: Principal | undefined;
}

/**
 * A call in flight, which ends by its handler or by an abort. One object with the methods of its
 * class: a literal with accessors and closures took a tenth of all memory that a call allocates.
 */
class RunningCall implements ServerCall, Expiring {
  readonly method: string;
  readonly kind: CallKind;
  readonly deadline: number;
  readonly drain: AbortSignal;
  readonly metadata: Metadata;
  readonly peer: string;
  readonly identity: SpiffeIdentity | undefined;
  readonly principal: Principal | undefined;
  readonly requests: Requests;
  place: Expiring["place"];
  readonly #incoming: IncomingCall;
  readonly #shareKeys: ShareKeys;
  readonly #reply: Reply;
  /**
   * Created when the handler reads its signal, which most handlers that return at once never do.
   */
  #scope: Scope | undefined;
  #isOver = false;
  #isAborted = false;
  #reason: unknown;

  constructor(path: string, kind: CallKind, incoming: IncomingCall, { shareKeys, drain, principal }: FromServer) {
    this.method = methodName(path);
    this.kind = kind;
    this.deadline = incoming.deadline;
    this.drain = drain;
    this.metadata = incoming.metadata;
    this.peer = incoming.peer;
    this.identity = incoming.identity;
    this.principal = principal;
    this.requests = incoming.requests;
    this.#incoming = incoming;
    this.#shareKeys = shareKeys;
    this.#reply = new Reply(incoming);
  }

  get signal(): AbortSignal {
    if (this.#scope === undefined) {
      this.#scope = derive({ deadline: this.deadline });
      if (this.#isAborted) this.#scope.abort(this.#reason);
    }
    return this.#scope.signal;
  }

  get caller(): string | undefined {
    const { identity } = this;
    return identity !== undefined && "id" in identity ? identity.id : undefined;
  }

  get shareKey(): string {
    return this.#shareKeys.of(this.metadata, this.peer);
  }

  get share(): string {
    return this.#shareKeys.boundOf(this.metadata, this.peer);
  }

  send(message: Uint8Array): Promise<void> {
    return this.#reply.send(message);
  }

  sent(): Promise<void> | undefined {
    return this.#incoming.sent?.();
  }

  setHeader(name: string, value: MetadataValue): void {
    this.#reply.setHeader(name, value);
  }

  setTrailer(name: string, value: MetadataValue): void {
    this.#reply.trailers.set(name, value);
  }

  expire(): void {
    this.abort(new DOMException("the deadline passed", "TimeoutError"));
  }

  abort(reason: unknown): void {
    if (this.#isOver || this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    // The status goes out before the handler learns that the call was aborted.
    this.#reply.finish(statusOf(reason));
    this.#scope?.abort(reason);
  }

  end(status: Status): void {
    this.#isOver = true;
    this.#reply.finish(status);
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
  /** Created with the first header, which few calls have. */
  #headers: Metadata | undefined;
  readonly #incoming: IncomingCall;
  #begun = false;
  #finished = false;

  constructor(incoming: IncomingCall) {
    this.#incoming = incoming;
  }

  setHeader(name: string, value: MetadataValue): void {
    if (this.#begun) throw new Error(`cannot set ${name}: the headers are already sent`);
    this.#headers ??= new Metadata();
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
    if (this.#headers !== undefined) this.#incoming.sendHeaders(this.#headers);
  }
}
