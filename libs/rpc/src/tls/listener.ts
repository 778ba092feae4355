import { Server, type Socket } from "node:net";
import { createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from "node:tls";
import { handshakeMs, tlsDefaults } from "./defaults.ts";

export interface TlsListenerOptions {
  /**
   * What `tls.createServer` takes. Asked for each connection: another object than before holds from then on, so that
   * certificates can be replaced while calls go on. Whether clients are asked for a certificate cannot change.
   */
  readonly tls: () => TlsOptions;
  /** 10 s when not given. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Handshakes under way, 1,000 when not given. A connection past it is closed at once. */
  readonly maxHandshakes?: number | undefined;
  /** A connection that came to nothing, or options that cannot be used: then those before stay. */
  readonly onFailure?: ((failure: TlsFailure) => void) | undefined;
}

export interface TlsFailure {
  readonly reason: TlsFailureReason;
  readonly error: Error;
  /** The client's address; empty where its socket has gone already. */
  readonly peer: string;
}

export type TlsFailureReason =
  | "alpn" // It does not speak HTTP/2.
  | "certificate" // It showed none that is accepted.
  | "closed" // It hung up; so do probes that only look whether a port is open.
  | "options" // Ours, not the client's.
  | "protocol" // It does not speak TLS, or not as it should.
  | "timeout"
  | "too_many";

const wrongProtocol = `HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-type: text/plain\r\n\r
This port speaks HTTP/2 only: offer "h2" by ALPN.\n`;

/**
 * Listens for TLS with ALPN "h2", and hands on the sockets whose handshake is over. node:tls bounds neither how many
 * handshakes are under way nor closes them with the server, so a plain server stands before it.
 */
export class TlsListener extends Server {
  readonly #options: TlsListenerOptions;
  readonly #tls: TlsServer;
  /** By the client's address and port. */
  readonly #handshakes = new Map<string, Socket>();
  #inUse: TlsOptions;

  /** Throws for options that cannot be used. */
  constructor(onSocket: (socket: TLSSocket) => void, options: TlsListenerOptions) {
    super({ noDelay: true });
    this.#options = options;
    this.#inUse = options.tls();
    this.#tls = createServer({
      ...tlsDefaults,
      handshakeTimeout: options.handshakeTimeoutMs ?? handshakeMs,
      ...this.#inUse,
    });
    this.#tls.on("secureConnection", (socket) => {
      this.#handshakes.delete(peerOf(socket));
      if (socket.alpnProtocol === "h2") return onSocket(socket);
      this.#failed("alpn", new Error("the client does not offer HTTP/2 by ALPN"), peerOf(socket));
      socket.on("error", () => {});
      socket.end(wrongProtocol, () => socket.destroy());
    });
    this.#tls.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      const { reason, why } = failureOf(error, socket);
      this.#failed(reason, why, peerOf(socket));
      socket.destroy();
    });
    this.on("connection", (socket: Socket) => this.#take(socket));
  }

  #take(socket: Socket): void {
    const peer = peerOf(socket);
    if (this.#handshakes.size >= (this.#options.maxHandshakes ?? 1_000)) {
      this.#failed("too_many", new Error("too many handshakes are under way"), peer);
      socket.destroy();
      return;
    }
    this.#refresh(peer);
    this.#handshakes.set(peer, socket);
    socket.once("close", () => {
      if (this.#handshakes.get(peer) === socket) this.#handshakes.delete(peer);
    });
    this.#tls.emit("connection", socket);
  }

  #refresh(peer: string): void {
    try {
      const options = this.#options.tls();
      if (options === this.#inUse) return;
      this.#inUse = options; // Tried once.
      this.#tls.setSecureContext({ ...tlsDefaults, ...options });
    } catch (error) {
      this.#failed("options", error as Error, peer);
    }
  }

  #failed(reason: TlsFailureReason, error: Error, peer: string): void {
    this.#options.onFailure?.({ reason, error, peer });
  }

  /** Ends the handshakes under way too. */
  override close(callback?: (error?: Error) => void): this {
    for (const socket of this.#handshakes.values()) socket.destroy();
    return super.close(callback);
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  if (remoteAddress === undefined) return "";
  return remoteAddress.includes(":") ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}

function failureOf(error: NodeJS.ErrnoException, socket: TLSSocket): { reason: TlsFailureReason; why: Error } {
  const { code = "" } = error;
  // A certificate that is refused ends the socket without a word; its code is kept beside.
  const unauthorized = socket.authorizationError as unknown;
  if (unauthorized) {
    return { reason: "certificate", why: new Error(`the client's certificate is refused: ${String(unauthorized)}`) };
  }
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") {
    return { reason: "certificate", why: new Error("the client shows no certificate", { cause: error }) };
  }
  if (code === "ERR_TLS_HANDSHAKE_TIMEOUT") return { reason: "timeout", why: error };
  if (code === "ERR_SSL_NO_APPLICATION_PROTOCOL") return { reason: "alpn", why: error };
  if (code === "ECONNRESET" || code === "EPIPE") return { reason: "closed", why: error };
  return { reason: "protocol", why: error };
}
