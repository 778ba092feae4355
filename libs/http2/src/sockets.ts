import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import {
  connect as connectTls,
  createServer as createTlsServer,
  type ConnectionOptions as TlsClientOptions,
  type TlsOptions as TlsServerOptions,
} from "node:tls";

// RFC 9113, 9.2, forbids most of what TLS 1.2 has. In 1.3 there is nothing left to forbid.
const tlsDefaults = { ALPNProtocols: ["h2"], minVersion: "TLSv1.3" } as const;

/** Sockets for connections: in the clear ("prior knowledge") or, with `tls`, over TLS with ALPN. Not listening yet. */
export function createListener(onSocket: (socket: Socket) => void, tls?: TlsServerOptions): Server {
  if (tls === undefined) return createServer({ noDelay: true }, onSocket);
  const server = createTlsServer({ ...tlsDefaults, ...tls }, (socket) => {
    if (socket.alpnProtocol === "h2") onSocket(socket);
    else socket.destroy(); // A client that named no protocol: it would speak HTTP/1.1.
  });
  server.on("tlsClientError", () => {}); // The client's failure, and its socket is gone.
  return server;
}

/** A socket that connects. It may be given to a `Connection` at once: what is sent waits. */
export function dial(address: { readonly host: string; readonly port: number }, tls?: TlsClientOptions): Socket {
  if (tls === undefined) return connectTcp({ ...address, noDelay: true });
  const socket = connectTls({ ...tlsDefaults, ...tls, ...address });
  socket.once("secureConnect", () => {
    if (socket.alpnProtocol !== "h2") socket.destroy(new Error("the server does not speak HTTP/2 (ALPN h2)"));
  });
  return socket;
}
