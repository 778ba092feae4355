import type { ClientHttp2Session } from "node:http2";
import type { Socket } from "node:net";
// An internal class, whose types are published.
import { Http2SubchannelConnector } from "@grpc/grpc-js/build/src/transport.js";

/** The channel option that carries a `PendingConnections`. */
export const pendingConnectionsOption = "plumbline.pending_connections";

/**
 * The connections that a channel is making, and those that it has. grpc-js 1.14.7 cannot cancel
 * one: closing a channel leaves it to the system, which tries a dead address for two minutes and
 * keeps the process alive for as long. Passed to a channel as an option, this ends them when the
 * channel closes.
 */
export class PendingConnections implements Disposable {
  readonly #attempts = new Set<AbortController>();
  readonly #sessions = new Set<ClientHttp2Session>();
  /**
   * The streams that all connections allow together; Infinity without a connection. grpc-js hands
   * on more, and those wait in node:http2 without a sign.
   */
  streams = Number.POSITIVE_INFINITY;
  readonly #onStreams: () => void;

  /** Calls `onStreams` when the number of streams has changed. */
  constructor(onStreams: () => void = () => {}) {
    this.#onStreams = onStreams;
  }

  async run<T>(connect: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const attempt = new AbortController();
    this.#attempts.add(attempt);
    try {
      return await connect(attempt.signal);
    } finally {
      this.#attempts.delete(attempt);
    }
  }

  opened(session: ClientHttp2Session): void {
    this.#sessions.add(session);
    session.on("remoteSettings", () => this.#count());
    session.once("close", () => {
      this.#sessions.delete(session);
      this.#count();
    });
    this.#count();
  }

  #count(): void {
    let streams = 0;
    for (const { remoteSettings } of this.#sessions) {
      streams += remoteSettings?.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
    }
    this.streams = this.#sessions.size === 0 ? Number.POSITIVE_INFINITY : streams;
    this.#onStreams();
  }

  [Symbol.dispose](): void {
    for (const attempt of this.#attempts) attempt.abort();
  }
}

type Options = { readonly [pendingConnectionsOption]?: PendingConnections };
interface Connector {
  tcpConnect: (this: Connector, address: object, options: Options) => Promise<Socket>;
  createSession: (
    this: Connector,
    connected: object,
    address: object,
    options: Options,
  ) => Promise<{ readonly session: ClientHttp2Session }>;
}

const connector = Http2SubchannelConnector.prototype as unknown as Connector;
const { tcpConnect, createSession } = connector;

connector.tcpConnect = function (this: Connector, address: object, options: Options): Promise<Socket> {
  const pending = options[pendingConnectionsOption];
  if (pending === undefined) return tcpConnect.call(this, address, options);
  // The address goes to `net.connect` unchanged, and that takes a signal.
  return pending.run((signal) => tcpConnect.call(this, { ...address, signal }, options));
};

connector.createSession = async function (this: Connector, connected, address, options) {
  const made = await createSession.call(this, connected, address, options);
  options[pendingConnectionsOption]?.opened(made.session);
  return made;
};
