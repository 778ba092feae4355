import { Server, type Socket } from "node:net";
import { createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from "node:tls";
import { type PlaceHolder, type PlaceOwner, Places } from "@plumbline/concurrency";
import { handshakeMs, tlsDefaults } from "./defaults.ts";

export interface TlsListenerOptions {
  /**
   * Returns the options of `tls.createServer`. Called for each connection: a new object applies
   * from then on, so that certificates are replaced without a restart. It cannot begin or cease to
   * require client certificates.
   */
  readonly tls: () => TlsOptions;
  /** The time for a handshake; 10 s if not given. */
  readonly handshakeTimeoutMs?: number | undefined;
  /**
   * The most handshakes in progress; 1,000 if not given. At the bound the oldest one of the peer
   * that has most is ended.
   */
  readonly maxHandshakes?: number | undefined;
  /** The most handshakes of one peer; a tenth of that if not given. */
  readonly maxHandshakesPerPeer?: number | undefined;
  /** Returns the owner of the places of an address; one with the bound of a peer if not given. */
  readonly ownerOf?: ((address: string) => PlaceOwner) | undefined;
  /**
   * Called for a connection whose handshake failed, and for invalid options: the last valid ones
   * stay in use.
   */
  readonly onFailure?: ((failure: TlsFailure) => void) | undefined;
}

export interface TlsFailure {
  readonly reason: TlsFailureReason;
  readonly error: Error;
  /** The client's address; empty if its socket is already closed. */
  readonly peer: string;
}

export type TlsFailureReason =
  | "alpn" // The client does not speak HTTP/2.
  | "certificate" // The client sent no certificate, or an invalid one.
  | "closed" // The client disconnected, as probes of an open port do.
  | "options" // Our own options are invalid.
  | "protocol" // The client does not speak TLS, or breaks it.
  | "timeout"
  | "too_many";

const wrongProtocol = `HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-type: text/plain\r\n\r
This port speaks HTTP/2 only: offer "h2" by ALPN.\n`;

/**
 * A listener for TLS with ALPN "h2". It hands on sockets whose handshake is complete. node:tls
 * neither bounds handshakes in progress nor closes them with the server, so a plain server stands
 * before it.
 */
export class TlsListener extends Server {
  readonly #options: TlsListenerOptions;
  readonly #tls: TlsServer;
  /** Sockets by the client's address and port. */
  readonly #handshakes = new Map<string, Handshake>();
  readonly #places: Places;
  #inUse: TlsOptions;

  /** Throws if the options are invalid. */
  constructor(onSocket: (socket: TLSSocket) => void, options: TlsListenerOptions) {
    super({ noDelay: true });
    this.#options = options;
    const { maxHandshakes = 1_000, maxHandshakesPerPeer = Math.ceil(maxHandshakes / 10) } = options;
    this.#places = new Places({ inAll: maxHandshakes, perPeer: maxHandshakesPerPeer });
    this.#inUse = options.tls();
    this.#tls = createServer({
      ...tlsDefaults,
      handshakeTimeout: options.handshakeTimeoutMs ?? handshakeMs,
      ...this.#inUse,
    });
    this.#tls.on("secureConnection", (socket) => {
      const handshake = this.#handshakes.get(peerOf(socket));
      if (handshake !== undefined) this.#ended(handshake);
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
    const handshake = new Handshake(this.#ownerOf(socket), peer, socket, () => {
      this.#ended(handshake);
      this.#failed("too_many", new Error("too many handshakes are in progress"), peer);
    });
    if (!this.#places.enter(handshake.owner, handshake)) {
      // Peers that are favoured have all places.
      this.#failed("too_many", new Error("too many handshakes are in progress"), peer);
      socket.destroy();
      return;
    }
    this.#refresh(peer);
    this.#handshakes.set(peer, handshake);
    socket.once("close", () => this.#ended(handshake));
    this.#tls.emit("connection", socket);
  }

  #ended(handshake: Handshake): void {
    const { owner, peer } = handshake;
    this.#places.leave(owner.key, handshake);
    // A later socket may have the same key: those that were reset have no address, and clients use
    // a port again.
    if (this.#handshakes.get(peer) === handshake) this.#handshakes.delete(peer);
  }

  #ownerOf({ remoteAddress = "" }: Socket): PlaceOwner {
    return this.#options.ownerOf?.(remoteAddress) ?? { key: remoteAddress, favoured: false };
  }

  #refresh(peer: string): void {
    try {
      const options = this.#options.tls();
      if (options === this.#inUse) return;
      this.#inUse = options; // An invalid one is tried once.
      this.#tls.setSecureContext({ ...tlsDefaults, ...options });
    } catch (error) {
      this.#failed("options", error as Error, peer);
    }
  }

  #failed(reason: TlsFailureReason, error: Error, peer: string): void {
    this.#options.onFailure?.({ reason, error, peer });
  }

  /** Closes the listener, and handshakes in progress. */
  override close(callback?: (error?: Error) => void): this {
    for (const { socket } of this.#handshakes.values()) socket.destroy();
    return super.close(callback);
  }
}

/** A handshake in progress. It can always be ended: nothing was asked for yet. */
class Handshake implements PlaceHolder {
  readonly isIdle = true;
  readonly owner: PlaceOwner;
  readonly peer: string;
  readonly socket: Socket;
  readonly #onEvict: () => void;

  constructor(owner: PlaceOwner, peer: string, socket: Socket, onEvict: () => void) {
    this.owner = owner;
    this.peer = peer;
    this.socket = socket;
    this.#onEvict = onEvict;
  }

  evict(): void {
    this.#onEvict();
    this.socket.destroy();
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  if (remoteAddress === undefined) return "";
  return remoteAddress.includes(":") ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}

function failureOf(error: NodeJS.ErrnoException, socket: TLSSocket): { reason: TlsFailureReason; why: Error } {
  const { code = "" } = error;
  // A rejected certificate closes the socket without an error; the code is on the socket.
  const unauthorized = socket.authorizationError as unknown;
  if (unauthorized) {
    return { reason: "certificate", why: new Error(`the client's certificate is rejected: ${String(unauthorized)}`) };
  }
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") {
    return { reason: "certificate", why: new Error("the client sent no certificate", { cause: error }) };
  }
  if (code === "ERR_TLS_HANDSHAKE_TIMEOUT") return { reason: "timeout", why: error };
  if (code === "ERR_SSL_NO_APPLICATION_PROTOCOL") return { reason: "alpn", why: error };
  if (code === "ECONNRESET" || code === "EPIPE") return { reason: "closed", why: error };
  return { reason: "protocol", why: error };
}
