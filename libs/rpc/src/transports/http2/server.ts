import { createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { Deadlines, type Expiring, placeSocket } from "@plumbline/concurrency";
import { Connection, type HeaderField, type Http2Stream, Peers, type StreamHandler } from "@plumbline/http2";
import type { SpiffeIdentity } from "../../identity/spiffe.ts";
import { TlsListener } from "../../tls/listener.ts";
import { serverTls } from "../../tls/options.ts";
import type { ServerMethod, ServerTransport, ServerTransportOptions } from "../../transport.ts";
import { bind } from "../bind.ts";
import { ownerOf } from "../owner.ts";
import { accept } from "./accept.ts";
import type { UnaryIncoming } from "./incoming.ts";

export async function listen(
  options: ServerTransportOptions,
  methods: readonly ServerMethod[],
): Promise<ServerTransport> {
  const server = new Http2Server(options, methods);
  const port = await server.bind();
  return { port, recycle: () => server.recycle(), close: () => server.close(), destroy: () => server.destroy() };
}

class Http2Server {
  readonly #options: ServerTransportOptions;
  readonly #methods: ReadonlyMap<string, ServerMethod>;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #incomplete = new Deadlines<Expiring>();
  readonly #peers: Peers;
  #isClosing = false;

  constructor(options: ServerTransportOptions, methods: readonly ServerMethod[]) {
    this.#options = options;
    this.#peers = new Peers(options.memory);
    this.#methods = new Map(methods.map((method) => [method.path, method]));
    const { tls, onTlsFailure: onFailure } = options;
    this.#server =
      tls === undefined
        ? createServer({ noDelay: true }, (socket) => this.#take(socket))
        : new TlsListener((socket: TLSSocket) => this.#take(socket, options.identify?.(socket)), {
            tls: serverTls(tls),
            onFailure,
            ownerOf: (address) => ownerOf(options, address),
          });
  }

  bind(): Promise<number> {
    return bind(this.#server, this.#options);
  }

  recycle(): void {
    for (const connection of this.#connections) connection.drain();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.drain();
    await closed; // This waits for the sockets too.
  }

  destroy(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #take(socket: Socket, identity?: SpiffeIdentity): void {
    const { places } = this.#options;
    if (!placeSocket(places, ownerOf(this.#options, socket.remoteAddress), socket, () => connection.size === 0)) return;
    const { maxConcurrentStreams, maxMessageBytes, keepaliveMs, keepaliveTimeoutMs } = this.#options;
    const timers = new Set<NodeJS.Timeout>();
    const arrived: UnaryIncoming[] = [];
    const connection = new Connection(
      socket,
      "server",
      {
        onStream: (stream: Http2Stream, fields: readonly HeaderField[], isLast: boolean): StreamHandler =>
          accept(stream, fields, isLast, acceptor),
        onRead: () => {
          if (arrived.length === 0) return;
          for (const call of arrived) call.start();
          arrived.length = 0;
        },
        onClose: () => {
          this.#connections.delete(connection);
          for (const timer of timers) clearTimeout(timer);
        },
      },
      {
        maxConcurrentStreams,
        keepalive: { intervalMs: keepaliveMs, timeoutMs: keepaliveTimeoutMs },
        peers: this.#peers,
      },
    );
    const { peer } = connection;
    const { defaultTimeoutMs, receiveMs, stallMs } = this.#options;
    const acceptor = {
      methods: this.#methods,
      arrived,
      peer,
      identity,
      maxMessageBytes,
      defaultTimeoutMs,
      receiveMs,
      incomplete: this.#incomplete,
      stallMs,
    };
    this.#connections.add(connection);
    if (this.#isClosing) connection.drain();
    this.#age(connection, timers);
  }

  /** Drains a connection at its age, and cuts it after the grace. */
  #age(connection: Connection, timers: Set<NodeJS.Timeout>): void {
    const { maxConnectionAgeMs, maxConnectionAgeGraceMs } = this.#options;
    if (maxConnectionAgeMs === undefined) return;
    // A tenth more or less, or all connections made when a replica started would leave it together.
    const ageMs = maxConnectionAgeMs * (0.9 + Math.random() * 0.2);
    const drain = setTimeout(() => {
      connection.drain();
      if (maxConnectionAgeGraceMs === undefined) return;
      timers.add(setTimeout(() => connection.destroy(), maxConnectionAgeGraceMs).unref());
    }, ageMs);
    timers.add(drain.unref());
  }
}
