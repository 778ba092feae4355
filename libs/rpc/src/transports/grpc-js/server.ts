import type { EventEmitter } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { ServiceError } from "@plumbline/errors";
import type { SpiffeIdentity } from "../../identity/spiffe.ts";
import type { Metadata } from "../../metadata.ts";
import type { Status } from "../../status.ts";
import { detailsName, pushbackName } from "../../status.ts";
import { TlsListener } from "../../tls/listener.ts";
import { serverTls } from "../../tls/options.ts";
import type { IncomingCall, Requests, ServerMethod, ServerTransport, ServerTransportOptions } from "../../transport.ts";
import { bind, cannotOpen, written } from "../bind.ts";
import { ownerOf } from "../owner.ts";
import { UntilOver } from "../until-over.ts";
import { toBuffer } from "./bytes.ts";
import { fromGrpcDeadline } from "./clock.ts";
import { guard } from "./guard.ts";
import { identityOfCall } from "./identities.ts";
import "./incoming-data.ts";
import { addBytes, fromGrpc, toGrpc } from "./metadata.ts";

/** grpc-js cuts a drained connection after a time. The calls on it have deadlines of their own. */
const longestTimerMs = 2 ** 31 - 1;

const asIs = (bytes: Buffer): Buffer => bytes;

export async function listen(
  options: ServerTransportOptions,
  methods: readonly ServerMethod[],
): Promise<ServerTransport> {
  const server = new Server({
    "grpc.max_send_message_length": options.maxMessageBytes,
    "grpc.max_receive_message_length": options.maxMessageBytes,
    "grpc.max_concurrent_streams": options.maxConcurrentStreams,
    "grpc.keepalive_time_ms": options.keepaliveMs,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs,
    "grpc.enable_channelz": 0,
    ...(options.maxConnectionAgeMs !== undefined && { "grpc.max_connection_age_ms": options.maxConnectionAgeMs }),
    ...(options.maxConnectionAgeGraceMs !== undefined && {
      "grpc.max_connection_age_grace_ms": options.maxConnectionAgeGraceMs,
    }),
  });
  guard(server, methods, options);
  for (const method of methods) {
    // All streams look alike on the wire. They are registered as bidi, and the number of messages
    // is checked above, in one place.
    if (method.kind === "unary") server.register(method.path, unary(method), asIs, asIs, "unary");
    else server.register(method.path, stream(method), asIs, asIs, "bidi");
  }
  const insecure = ServerCredentials.createInsecure();
  const shutDown = (): Promise<void> => new Promise((resolve) => server.tryShutdown(() => resolve()));
  const { tls, onTlsFailure: onFailure } = options;
  if (tls === undefined) {
    const port = await bindInTheClear(server, insecure, options);
    const recycle = () => server.drain(written({ ...options, port }), longestTimerMs);
    return { port, recycle, close: shutDown, destroy: () => server.forceShutdown() };
  }
  // TLS as in the other transport: grpc-js gets the sockets whose handshake is complete.
  const injector = server.createConnectionInjector(insecure);
  const listener = new TlsListener((socket) => injector.injectConnection(socket), {
    tls: serverTls(tls),
    onFailure,
    ownerOf: (address) => ownerOf(options, address),
  });
  const port = await bind(listener, options);
  return {
    port,
    recycle: () => injector.drain(longestTimerMs),
    async close() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      await shutDown();
      await closed;
    },
    destroy: () => server.forceShutdown(),
  };
}

function bindInTheClear(
  server: Server,
  credentials: ServerCredentials,
  options: ServerTransportOptions,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(written(options), credentials, (cause, port) => {
      if (cause === null) resolve(port);
      else reject(cannotOpen(options, cause));
    });
  });
}

type UnaryCall = ServerUnaryCall<Buffer, Buffer>;
type Duplex = ServerDuplexStream<Buffer, Buffer>;

/** The part that both kinds of call share. */
type Surface = EventEmitter & Pick<UnaryCall, "cancelled" | "metadata" | "getPeer" | "getDeadline" | "sendMetadata">;

abstract class GrpcIncoming<C extends Surface> implements IncomingCall {
  readonly metadata: Metadata;
  readonly peer: string;
  readonly identity: SpiffeIdentity | undefined;
  readonly deadline: number;
  protected readonly call: C;
  protected isOver = false;
  #gone: (() => void) | undefined;

  constructor(call: C) {
    this.call = call;
    this.metadata = fromGrpc(call.metadata);
    this.peer = call.getPeer();
    this.identity = identityOfCall(call);
    this.deadline = fromGrpcDeadline(Number(call.getDeadline()));
    // grpc-js emits "cancelled" at the end of every call, answered or not.
    call.on("cancelled", () => {
      if (this.isOver) return;
      this.isOver = true;
      this.#gone?.();
    });
  }

  onCancel(callback: () => void): void {
    this.#gone = callback;
    if (this.call.cancelled) callback();
  }

  sendHeaders(headers: Metadata): void {
    if (!this.isOver) this.call.sendMetadata(toGrpc(headers));
  }

  abstract readonly requests: Requests;
  abstract send(message: Uint8Array): Promise<void>;
  abstract finish(status: Status, trailers: Metadata): void;
}

class UnaryIncoming extends GrpcIncoming<UnaryCall> {
  readonly requests: Requests;
  readonly #callback: sendUnaryData<Buffer>;
  #response: Buffer | undefined;

  constructor(call: UnaryCall, callback: sendUnaryData<Buffer>) {
    super(call);
    this.#callback = callback;
    this.requests = [call.request];
  }

  override async send(message: Uint8Array): Promise<void> {
    this.#response = toBuffer(message);
  }

  override finish(status: Status, trailers: Metadata): void {
    if (this.isOver) return;
    this.isOver = true;
    if (status.code === 0) this.#callback(null, this.#response, toGrpc(trailers));
    else this.#callback(failure(status, trailers));
  }
}

class StreamIncoming extends GrpcIncoming<Duplex> {
  readonly requests: Requests;
  readonly #over = new UntilOver();

  constructor(call: Duplex) {
    super(call);
    this.requests = received(call);
    call.on("cancelled", () => this.#over.end());
  }

  override async send(message: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.call.write(toBuffer(message), (error: Error | null | undefined) => (error ? reject(error) : resolve()));
    });
    // grpc-js drops the callback of a message in flight when the call is cancelled.
    await this.#over.wait(written);
    if (this.#over.isOver) throw new ServiceError("cancelled", "the call is over");
  }

  override finish(status: Status, trailers: Metadata): void {
    if (this.isOver) return;
    this.isOver = true;
    if (status.code === 0) this.call.end(toGrpc(trailers));
    else this.call.emit("error", failure(status, trailers));
  }
}

function unary(method: ServerMethod) {
  return (call: UnaryCall, callback: sendUnaryData<Buffer>): void => {
    if (arrived.push({ method, call, callback }) === 1) setImmediate(startArrived);
  };
}

interface Arrived {
  readonly method: ServerMethod;
  readonly call: UnaryCall;
  readonly callback: sendUnaryData<Buffer>;
}

/** The unary calls that arrived in this turn of the event loop. */
let arrived: Arrived[] = [];

/** Hands calls on, unless they were reset in the read that brought them. */
function startArrived(): void {
  const calls = arrived;
  arrived = [];
  for (const { method, call, callback } of calls) if (!call.cancelled) method.accept(new UnaryIncoming(call, callback));
}

function stream(method: ServerMethod) {
  return (call: Duplex): void => method.accept(new StreamIncoming(call));
}

/**
 * Yields the messages of a stream. A reader that leaves keeps the stream open, since its other half
 * carries the response.
 */
async function* received(call: Duplex): AsyncIterable<Uint8Array> {
  try {
    for await (const message of call.iterator({ destroyOnReturn: false })) yield message as Buffer;
  } catch (cause) {
    throw new ServiceError("cancelled", "the client is gone", { cause });
  }
  // grpc-js ends the messages of a lost client like those of a finished one, and reports the loss a
  // few ticks later.
  await nextTurn();
  if (call.cancelled) throw new ServiceError("cancelled", "the client is gone");
}

function failure(
  { code, message, details, pushbackMs }: Status,
  trailers: Metadata,
): Error & { code: number; details: string } {
  const metadata = toGrpc(trailers);
  if (details !== undefined) addBytes(metadata, detailsName, details);
  if (pushbackMs !== undefined) metadata.set(pushbackName, `${pushbackMs}`);
  return Object.assign(new Error(message), { code, details: message, metadata });
}
