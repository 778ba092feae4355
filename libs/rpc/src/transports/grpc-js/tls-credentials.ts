import type { Socket } from "node:net";
import { CallCredentials, ChannelCredentials, type experimental } from "@grpc/grpc-js";
import { onAbort } from "@plumbline/concurrency";
import { handshakeMs } from "../../tls/defaults.ts";
import { type diallingTls, secure } from "../../tls/dial.ts";
import type { PendingConnections } from "./pending-connections.ts";

type Tls = NonNullable<ReturnType<typeof diallingTls>>;

/**
 * Credentials with the same TLS as the other transport. grpc-js's own never reload their
 * certificate, accept a server that does not agree on HTTP/2, wait without a limit for a silent
 * one, and cannot verify a server by its address.
 */
export class TlsCredentials extends ChannelCredentials {
  readonly #tls: Tls;
  readonly #pending: PendingConnections;

  constructor(tls: Tls, pending: PendingConnections) {
    super();
    this.#tls = tls;
    this.#pending = pending;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(
    _target: experimental.GrpcUri,
    _options: object,
    callCredentials = CallCredentials.createEmpty(),
  ): experimental.SecureConnector {
    return {
      connect: (socket) => this.#pending.run((signal) => this.#secure(socket, signal)),
      waitForReady: async () => {},
      getCallCredentials: () => callCredentials,
      destroy: () => {},
    };
  }

  async #secure(socket: Socket, signal: AbortSignal): Promise<experimental.SecureConnectResult> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const secured = secure(socket, this.#tls());
    const failed = (error: Error): void => {
      secured.destroy();
      reject(error);
    };
    const timer = setTimeout(() => failed(new Error("the TLS handshake took too long")), handshakeMs);
    using _ = onAbort(signal, () => failed(new Error("the channel is closed")));
    secured.once("error", failed);
    secured.once("close", () => failed(new Error("the server closed the connection during the TLS handshake")));
    secured.once("secureConnect", () => {
      if (!secured.destroyed) resolve();
    });
    try {
      await promise;
      return { socket: secured, secure: true };
    } finally {
      clearTimeout(timer);
    }
  }
}
