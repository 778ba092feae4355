import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { tlsDefaults } from "./defaults.ts";
import { explain } from "./explain.ts";

/** What `tls.connect` takes, and whose certificate is expected. */
export interface DialTls extends ConnectionOptions {
  /** A name or an address that the server's certificate must have; what is dialled when not given. */
  readonly serverName?: string | undefined;
}

/** A socket over TLS with ALPN "h2" that connects to an address. Its errors say what is wrong in words. */
export function dialTls(address: { readonly host: string; readonly port: number }, tls: DialTls): TLSSocket {
  return watched(connect({ ...optionsOf(tls, address.host), ...address }), tls.serverName ?? address.host);
}

/** The same over a socket that is connected already. */
export function secure(socket: Socket, tls: DialTls & { readonly serverName: string }): TLSSocket {
  return watched(connect({ ...optionsOf(tls, tls.serverName), socket }), tls.serverName);
}

function optionsOf({ serverName, ...tls }: DialTls, host: string): ConnectionOptions {
  const name = serverName ?? host;
  return {
    ...tlsDefaults,
    ...tls,
    // Only names are announced (RFC 6066); addresses are checked all the same.
    servername: isIP(name) === 0 ? name : "",
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
  };
}

function watched(socket: TLSSocket, name: string): TLSSocket {
  explain(socket, name);
  socket.once("secureConnect", () => {
    if (socket.alpnProtocol !== "h2") socket.destroy(new Error("the server does not speak HTTP/2 (ALPN h2)"));
  });
  return socket;
}
