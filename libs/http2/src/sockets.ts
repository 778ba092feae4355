import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import { type DialTls, dialTls } from "./tls-dial.ts";
import { TlsListener } from "./tls-listener.ts";

/** Sockets for connections: in the clear ("prior knowledge") or, with `tls`, over TLS with ALPN. Not listening yet. */
export function createListener(onSocket: (socket: Socket) => void, tls?: TlsOptions): Server {
  return tls === undefined ? createServer({ noDelay: true }, onSocket) : new TlsListener(onSocket, { tls: () => tls });
}

/** A socket that connects. It may be given to a `Connection` at once: what is sent waits. */
export function dial(address: { readonly host: string; readonly port: number }, tls?: DialTls): Socket {
  return tls === undefined ? connectTcp({ ...address, noDelay: true }) : dialTls(address, tls);
}
