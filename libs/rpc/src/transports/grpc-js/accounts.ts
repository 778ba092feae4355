import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { Readable } from "node:stream";
import { type Holder, type Peer, type Peers } from "@plumbline/http2";

/** The octets that count for a call beside its messages: its objects and its header list. */
const callOctets = 4_096;

const ofSession = Symbol("the account of a connection");
const ofStream = Symbol("the account of a call");

type WithAccount = { [ofSession]?: SessionAccount };
type WithCallAccount = { [ofStream]?: CallAccount };

/** The octets held for one connection, in the account of its peer. */
export class SessionAccount implements Holder {
  readonly #session: ServerHttp2Session;
  readonly #peer: Peer;
  readonly calls = new Set<CallAccount>();
  held = 0;

  constructor(session: ServerHttp2Session, peers: Peers) {
    this.#session = session;
    this.#peer = peers.enter(session.socket.remoteAddress ?? "", this);
    session.once("close", () => {
      this.#release();
      this.#peer.leave(this);
    });
  }

  hold(octets: number): boolean {
    if (this.#session.destroyed || !this.#peer.hold(octets)) return false;
    this.held += octets;
    return true;
  }

  release(octets: number): void {
    // Nothing is left to give back once everything was.
    const given = Math.min(octets, this.held);
    this.held -= given;
    this.#peer.release(given);
  }

  cut(): void {
    let largest: CallAccount | undefined;
    for (const call of this.calls) if (call.held > (largest?.held ?? 0)) largest = call;
    largest?.cut();
  }

  /** Records the end of a stream. The connection ends once its peer resets too many. */
  streamClosed(wasReset: boolean): void {
    const { floods } = this.#peer;
    if (!wasReset) return floods.streamEnded();
    // It ended with its connection: the network may be down, or this server ends it for its age.
    if (this.#session.destroyed) return;
    try {
      floods.streamReset();
    } catch {
      this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      this.#session.destroy();
    }
  }

  #release(): void {
    this.release(this.held);
  }
}

/** The octets held for one call: messages that were not read, and answers that wait. */
export class CallAccount {
  readonly stream: ServerHttp2Stream;
  readonly #session: SessionAccount;
  held = 0;
  #unsent = 0;
  /** The time since which the client has taken no answer that waits. */
  #waitsSince = 0;

  constructor(stream: ServerHttp2Stream, session: SessionAccount) {
    this.stream = stream;
    this.#session = session;
    session.calls.add(this);
  }

  hold(octets: number): boolean {
    if (!this.#session.hold(octets)) return false;
    this.held += octets;
    return true;
  }

  release(octets: number): void {
    const given = Math.min(octets, this.held);
    this.held -= given;
    this.#session.release(given);
  }

  /** Counts an answer that is written. Returns false if there is no memory for it. */
  holdAnswer(octets: number): boolean {
    if (!this.hold(octets)) return false;
    if (this.#unsent === 0) this.#waitsSince = performance.now();
    this.#unsent += octets;
    return true;
  }

  answerSent(octets: number): void {
    this.#unsent -= octets;
    this.#waitsSince = performance.now();
    this.release(octets);
  }

  /** Returns true if the client has taken no whole answer since `time`. */
  waitsSince(time: number): boolean {
    return this.#unsent > 0 && this.#waitsSince < time;
  }

  cut(): void {
    this.end();
    this.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** Charges the peer if the call was reset. */
  charge(): void {
    this.#session.streamClosed(this.stream.rstCode !== constants.NGHTTP2_NO_ERROR);
  }

  end(): void {
    this.#session.calls.delete(this);
    this.release(this.held);
  }
}

/** Opens the account of a connection. */
export function openSession(session: ServerHttp2Session, peers: Peers): SessionAccount {
  const account = new SessionAccount(session, peers);
  (session as WithAccount)[ofSession] = account;
  return account;
}

/** Opens the account of a call; undefined if there is no memory for one. */
export function openCall(stream: ServerHttp2Stream): CallAccount | undefined {
  const session = (stream.session as WithAccount | undefined)?.[ofSession];
  if (session === undefined) return undefined;
  const account = new CallAccount(stream, session);
  if (!account.hold(callOctets)) {
    account.end();
    return undefined;
  }
  (stream as WithCallAccount)[ofStream] = account;
  stream.push = pushCompact;
  return account;
}

export function accountOf(stream: object): CallAccount | undefined {
  return (stream as WithCallAccount)[ofStream];
}

const { push } = Readable.prototype as unknown as { push: (this: Readable, data: Buffer | null) => boolean };

/** Takes octets as node:http2 does, with a copy of those that are a small part of a read. */
function pushCompact(this: Readable, data: Buffer | null): boolean {
  return push.call(this, data === null ? null : compact(data));
}

/** The memory that data of any size may keep. Less than that counts for each call anyway. */
const smallRead = 4_096;
let slab = Buffer.allocUnsafeSlow(smallRead);
let used = 0;

/** Returns `data`, or a copy of it: 13 octets would keep a read of 64 KiB in memory. */
function compact(data: Buffer): Buffer {
  const { byteLength } = data.buffer;
  const { length } = data;
  if (byteLength <= smallRead || byteLength <= length * 4) return data;
  // Not from the pool of Node, whose slabs are as large as a read.
  if (length > smallRead / 4) {
    const copy = Buffer.allocUnsafeSlow(length);
    data.copy(copy);
    return copy;
  }
  if (used + length > smallRead) {
    slab = Buffer.allocUnsafeSlow(smallRead);
    used = 0;
  }
  const copy = slab.subarray(used, used + length);
  used += length;
  data.copy(copy);
  return copy;
}
