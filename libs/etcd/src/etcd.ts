import { type Abortable, deadline, derive, sleep } from "@plumbline/concurrency";
import { codeOf, ServiceError } from "@plumbline/errors";
import type { ClientTls, Reloadable } from "@plumbline/rpc";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  LeaseGrantRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  TxnRequest,
  WatchCreateRequest,
} from "./gen/etcd/api/etcdserverpb/rpc.ts";
import { boundsOf, type Keys } from "./keys.ts";
import { openSession, type Session } from "./session.ts";
import { type Changes, changesOf, type Entry, entryOf, watchRequests } from "./watch.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface EtcdOptions {
  /** The members of the cluster: "http://10.0.0.1:2379", or https. One is used at a time. */
  readonly endpoints: readonly string[];
  /** A user and its password. A function is called for each login, so that they can change. */
  readonly credentials?: Reloadable<Credentials> | undefined;
  /** The certificates for https. Those of the authorities that come with Node if not given. */
  readonly tls?: Reloadable<ClientTls> | undefined;
  readonly telemetry?: Telemetry | undefined;
  /** The deadline of a call; 2 s if not given. */
  readonly timeoutMs?: number | undefined;
}

/** The keys of a range, at a revision of the store. */
export interface Range {
  readonly entries: readonly Entry[];
  readonly revision: bigint;
}

export interface RangeOptions extends Abortable {
  /** The most keys; 1,000 if not given. More are refused. */
  readonly limit?: number | undefined;
  /** If true, values are empty. */
  readonly keysOnly?: boolean | undefined;
}

export interface PutOptions extends Abortable {
  /** The lease that the key is removed with. */
  readonly lease?: bigint | undefined;
}

export interface WatchOptions extends Abortable {
  /** The first revision whose changes are wanted: usually that of a range, plus one. */
  readonly from: bigint;
}

/** A write of a transaction. */
export type Write =
  | {
      readonly put: string;
      readonly value: Uint8Array | string;
      readonly lease?: bigint | undefined;
      readonly delete?: never;
    }
  | { readonly delete: string; readonly put?: never };

export interface Transaction extends Abortable {
  /** Keys and the revisions that last changed them, all of which must hold; 0 for no such key. */
  readonly unchanged: Readonly<Record<string, bigint>>;
  readonly writes: readonly Write[];
}

/**
 * A client of an etcd cluster. It connects with the first call, to one member. When a call finds
 * that member away, later calls go to the next one. Every call has a deadline, and rejects with a
 * `ServiceError` that names the member.
 */
export interface Etcd extends AsyncDisposable {
  /** The members, for messages: "10.0.0.1:2379,10.0.0.2:2379". */
  readonly address: string;
  /** Reads keys at the newest revision that a majority has. */
  range(keys: Keys, options?: RangeOptions): Promise<Range>;
  /** Resolves with the revision of the store after the write. */
  put(key: string, value: Uint8Array | string, options?: PutOptions): Promise<bigint>;
  /** Resolves with the number of keys that were removed. */
  delete(keys: Keys, options?: Abortable): Promise<number>;
  /** Writes all or nothing. Resolves with false if a key has changed. */
  transact(transaction: Transaction): Promise<boolean>;
  /** Removes the history before a revision, as etcd does by itself if so configured. */
  compact(revision: bigint, options?: Abortable): Promise<void>;
  /** Grants a lease: keys with it are removed when it is not renewed for this long. */
  grant(ttlSeconds: number, options?: Abortable): Promise<bigint>;
  /** Renews a lease. Resolves with false if it has expired. */
  renew(lease: bigint, options?: Abortable): Promise<boolean>;
  /** Ends a lease and removes its keys. */
  revoke(lease: bigint, options?: Abortable): Promise<void>;
  /**
   * Yields once the watch stands, and then each change in order, until the signal aborts. It throws
   * when changes may have been missed: `out_of_range` if the first revision is compacted, and
   * `unavailable` if the member has gone, has no leader, or is silent for ten seconds. Read the
   * range again then.
   */
  watch(keys: Keys, options: WatchOptions): AsyncIterable<Changes>;
  /**
   * Yields the whole range now and after each change, until the signal aborts. It throws as `watch`
   * does, but reads the range again after a compaction.
   */
  follow(keys: Keys, options?: RangeOptions): AsyncIterable<ReadonlyMap<string, Entry>>;
}

const usualTimeoutMs = 2_000;
const usualLimit = 1_000;
/** The longest pause before a range is read again after a compaction. */
const mostPauseMs = 200;

/** Returns a client. Throws `invalid_argument` for an endpoint that is not one. */
export function openEtcd(options: EtcdOptions): Etcd {
  return new Client(options);
}

class Client implements Etcd {
  readonly address: string;
  readonly #endpoints: readonly Endpoint[];
  readonly #options: EtcdOptions;
  readonly #timeoutMs: number;
  #next = 0;
  #session: Promise<Session> | undefined;
  #token: Promise<string> | undefined;
  #isClosed = false;

  constructor(options: EtcdOptions) {
    this.#options = options;
    this.#endpoints = options.endpoints.map(parseEndpoint);
    if (this.#endpoints.length === 0)
      throw new ServiceError("invalid_argument", "etcd: expected at least one endpoint");
    this.address = this.#endpoints.map(({ address }) => address).join(",");
    this.#timeoutMs = options.timeoutMs ?? usualTimeoutMs;
    // Not each at the same member, and not each in the same order after it has gone.
    this.#next = Math.floor(Math.random() * this.#endpoints.length);
  }

  range(keys: Keys, { limit = usualLimit, keysOnly = false, signal }: RangeOptions = {}): Promise<Range> {
    return this.#call({ signal }, async (session, call) => {
      const request = RangeRequest.fromPartial({ ...boundsOf(keys), keysOnly, limit: BigInt(limit) });
      const { kvs, more, header } = await session.kv.range(request, call);
      if (more) throw new ServiceError("resource_exhausted", `expected at most ${limit} keys`);
      return { entries: kvs.map(entryOf), revision: header?.revision ?? 0n };
    });
  }

  put(key: string, value: Uint8Array | string, { lease, signal }: PutOptions = {}): Promise<bigint> {
    return this.#call({ signal }, async (session, call) => {
      const { header } = await session.kv.put(putRequest(key, value, lease), call);
      return header?.revision ?? 0n;
    });
  }

  delete(keys: Keys, { signal }: Abortable = {}): Promise<number> {
    return this.#call({ signal }, async (session, call) => {
      const { deleted } = await session.kv.deleteRange(DeleteRangeRequest.fromPartial(boundsOf(keys)), call);
      return Number(deleted);
    });
  }

  transact({ unchanged, writes, signal }: Transaction): Promise<boolean> {
    return this.#call({ signal }, async (session, call) => {
      const compare = Object.entries(unchanged).map(([key, revision]) =>
        Compare.fromPartial({
          key: Buffer.from(key),
          result: Compare_CompareResult.EQUAL,
          target: Compare_CompareTarget.MOD,
          targetUnion: { $case: "modRevision", value: revision },
        }),
      );
      const request = TxnRequest.fromPartial({ compare, success: writes.map(operationOf) });
      return (await session.kv.txn(request, call)).succeeded;
    });
  }

  compact(revision: bigint, { signal }: Abortable = {}): Promise<void> {
    return this.#call({ signal }, async (session, call) => {
      await session.kv.compact({ revision, physical: false }, call);
    });
  }

  grant(ttlSeconds: number, { signal }: Abortable = {}): Promise<bigint> {
    return this.#call({ signal }, async (session, call) => {
      const { ID } = await session.lease.leaseGrant(LeaseGrantRequest.fromPartial({ TTL: BigInt(ttlSeconds) }), call);
      return ID;
    });
  }

  renew(lease: bigint, { signal }: Abortable = {}): Promise<boolean> {
    return this.#call({ signal }, async (session, call) => {
      // A call for each renewal has a deadline of its own, which a stream for all would not.
      for await (const { TTL } of session.lease.leaseKeepAlive(one({ ID: lease }), call)) return TTL > 0n;
      throw new ServiceError("unavailable", "the member ended the stream of renewals");
    });
  }

  revoke(lease: bigint, { signal }: Abortable = {}): Promise<void> {
    return this.#call({ signal }, async (session, call) => {
      await session.lease.leaseRevoke({ ID: lease }, call);
    });
  }

  async *watch(keys: Keys, { from, signal }: WatchOptions): AsyncGenerator<Changes, void, undefined> {
    using scope = derive({ signal });
    let session: Session | undefined;
    try {
      session = await this.#open();
      const metadata = await this.#metadata(session, scope.signal);
      const create = WatchCreateRequest.fromPartial({ ...boundsOf(keys), startRevision: from, fragment: true });
      const responses = session.watch.watch(watchRequests(create, scope.signal), {
        metadata,
        signal: scope.signal,
        timeoutMs: Number.POSITIVE_INFINITY,
      });
      yield* changesOf(responses);
    } catch (error) {
      if (signal?.aborted) return;
      throw await this.#failed(error, session);
    } finally {
      scope.abort();
    }
  }

  async *follow(keys: Keys, options: RangeOptions = {}): AsyncGenerator<ReadonlyMap<string, Entry>, void, undefined> {
    const { signal, limit = usualLimit } = options;
    for (;;) {
      try {
        const { entries, revision } = await this.range(keys, options);
        const state = new Map(entries.map((entry) => [entry.key, entry]));
        yield new Map(state);
        for await (const { changes } of this.watch(keys, { from: revision + 1n, signal })) {
          if (changes.length === 0) continue;
          for (const { put, deleted } of changes) {
            if (put === undefined) state.delete(deleted);
            else state.set(put.key, put);
          }
          if (state.size > limit) throw this.#named("resource_exhausted", `expected at most ${limit} keys`);
          yield new Map(state);
        }
        return; // The signal has aborted.
      } catch (error) {
        if (signal?.aborted) return;
        if (codeOf(error) !== "out_of_range") throw error;
        await sleep(Math.random() * mostPauseMs); // Compacted: reads the range again.
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const opening = this.#session;
    this.#session = undefined;
    await close(opening);
  }

  async #call<T>(
    { signal }: Abortable,
    run: (
      session: Session,
      call: { readonly metadata: Record<string, string>; readonly signal: AbortSignal },
    ) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    using limit = deadline(this.#timeoutMs, { signal });
    for (let attempt = 1; ; attempt++) {
      let session: Session | undefined;
      try {
        session = await this.#open();
        const metadata = await this.#metadata(session, limit.signal);
        return await run(session, { metadata, signal: limit.signal });
      } catch (error) {
        signal?.throwIfAborted();
        if (attempt === 1 && isOldToken(error)) this.#token = undefined;
        else throw await this.#failed(error, session);
      }
    }
  }

  async #open(): Promise<Session> {
    if (this.#isClosed) throw new ServiceError("unavailable", "the client is closed");
    if (this.#session !== undefined) return await this.#session;
    const { tls, telemetry = noTelemetry } = this.#options;
    const endpoint = this.#endpoints[this.#next % this.#endpoints.length] as Endpoint;
    const opening = openSession({ endpoint, tls, telemetry, timeoutMs: this.#timeoutMs });
    this.#session = opening;
    try {
      return await opening;
    } catch (error) {
      this.#session = undefined;
      throw error;
    }
  }

  async #metadata(session: Session, signal: AbortSignal): Promise<Record<string, string>> {
    const { credentials } = this.#options;
    // A member that has lost its leader ends the call then, instead of being silent.
    if (credentials === undefined) return { hasleader: "true" };
    this.#token ??= login(session, typeof credentials === "function" ? credentials() : credentials, signal);
    try {
      const token = await this.#token;
      return { hasleader: "true", ...(token !== "" && { token }) };
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
  }

  /** Returns the error to throw, and leaves the member if it may be the cause. */
  async #failed(error: unknown, session: Session | undefined): Promise<unknown> {
    const code = failureOf(error);
    if (session !== undefined && (code === "unavailable" || code === "deadline_exceeded")) {
      const current = this.#session;
      if (current !== undefined && (await current) === session && this.#session === current) {
        this.#session = undefined;
        this.#next++;
      }
      await close(session);
    }
    if (isOldToken(error)) this.#token = undefined;
    return this.#named(code, messageOf(error), { cause: error, endpoint: session?.endpoint });
  }

  #named(
    code: ServiceError["code"],
    message: string,
    { cause, endpoint }: { readonly cause?: unknown; readonly endpoint?: Endpoint | undefined } = {},
  ): ServiceError {
    const address = endpoint?.address ?? this.address;
    const text = message.startsWith(`${address} `) ? message : `${address}: ${message}`;
    return new ServiceError(code, `etcd at ${text}`, { cause });
  }
}

async function login(session: Session, { username, password }: Credentials, signal: AbortSignal): Promise<string> {
  try {
    return (await session.auth.authenticate({ name: username, password }, { signal })).token;
  } catch (error) {
    // Etcd's own client takes this for success too: a user without need.
    if (codeOf(error) === "failed_precondition" && messageOf(error).includes("not enabled")) return "";
    if (codeOf(error) === "invalid_argument") {
      throw new ServiceError("unauthenticated", `the user ${username} or its password is wrong`, { cause: error });
    }
    throw error;
  }
}

/** The token has expired, is of another run of the member, or is older than the users. */
function isOldToken(error: unknown): boolean {
  const message = messageOf(error);
  return message.includes("invalid auth token") || message.includes("revision of auth store is old");
}

function failureOf(error: unknown): ServiceError["code"] {
  if (error instanceof DOMException && error.name === "TimeoutError") return "deadline_exceeded";
  const code = codeOf(error);
  // Another call has found that the member is away, and closed the connection of all.
  return code === "cancelled" || code === "unknown" ? "unavailable" : code;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function putRequest(key: string, value: Uint8Array | string, lease: bigint | undefined): PutRequest {
  return PutRequest.fromPartial({ key: Buffer.from(key), value: Buffer.from(value), lease: lease ?? 0n });
}

function operationOf(write: Write): RequestOp {
  if (write.put !== undefined) {
    return { request: { $case: "requestPut", value: putRequest(write.put, write.value, write.lease) } };
  }
  const range = DeleteRangeRequest.fromPartial(boundsOf({ key: write.delete }));
  return { request: { $case: "requestDeleteRange", value: range } };
}

async function* one<T>(message: T): AsyncIterable<T> {
  yield message;
}

async function close(session: Session | Promise<Session> | undefined): Promise<void> {
  try {
    await (await session)?.[Symbol.asyncDispose]();
  } catch {
    // It could not be opened.
  }
}
