import type { Socket } from "node:net";
// An internal class, whose types are published.
import { Http2SubchannelConnector } from "@grpc/grpc-js/build/src/transport.js";

/** The channel option that carries a `PendingConnections`. */
export const pendingConnectionsOption = "plumbline.pending_connections";

/**
 * The connections that a channel is making. grpc-js 1.14.7 cannot cancel one: closing a channel
 * leaves it to the system, which tries a dead address for two minutes and keeps the process alive
 * for as long. Passed to a channel as an option, this ends them when the channel closes.
 */
export class PendingConnections implements Disposable {
  readonly #attempts = new Set<AbortController>();

  async run<T>(connect: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const attempt = new AbortController();
    this.#attempts.add(attempt);
    try {
      return await connect(attempt.signal);
    } finally {
      this.#attempts.delete(attempt);
    }
  }

  [Symbol.dispose](): void {
    for (const attempt of this.#attempts) attempt.abort();
  }
}

type Options = { readonly [pendingConnectionsOption]?: PendingConnections };
interface Connector {
  tcpConnect: (this: Connector, address: object, options: Options) => Promise<Socket>;
}

const connector = Http2SubchannelConnector.prototype as unknown as Connector;
const { tcpConnect } = connector;

connector.tcpConnect = function (this: Connector, address: object, options: Options): Promise<Socket> {
  const pending = options[pendingConnectionsOption];
  if (pending === undefined) return tcpConnect.call(this, address, options);
  // The address goes to `net.connect` unchanged, and that takes a signal.
  return pending.run((signal) => tcpConnect.call(this, { ...address, signal }, options));
};
