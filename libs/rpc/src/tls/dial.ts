import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { Servers } from "../identity/servers.ts";
import type { ClientTransportOptions } from "../transport.ts";
import { tlsDefaults } from "./defaults.ts";
import { explain } from "./explain.ts";
import { clientTls } from "./options.ts";

/** The options of `tls.connect`, and the name that the server's certificate must have. */
export interface DialTls extends ConnectionOptions {
  /**
   * A name or address that the server's certificate must have; the address that is dialled if not
   * given.
   */
  readonly serverName?: string | undefined;
  /** The servers that the certificate must be of, in the place of that name. */
  readonly servers?: Servers | undefined;
}

/**
 * Returns what to dial with, to be asked for each connection; undefined without TLS. Throws
 * `invalid_argument` for invalid certificates, and a TypeError for ids that cannot be used.
 */
export function diallingTls(
  { tls, serverIds = "" }: Pick<ClientTransportOptions, "tls" | "serverIds">,
  host: string,
): (() => DialTls & { readonly serverName: string }) | undefined {
  if (tls === undefined) {
    if (serverIds === "") return undefined;
    throw new TypeError("serverIds: expected tls too, with which a server shows its certificate");
  }
  const servers = serverIds === "" ? undefined : new Servers(serverIds);
  const certificates = clientTls(tls);
  return () => ({ serverName: host, servers, ...certificates() });
}

/** Returns a socket that connects over TLS with ALPN "h2". Its errors state the fault in words. */
export function dialTls(address: { readonly host: string; readonly port: number }, tls: DialTls): TLSSocket {
  return watched(connect({ ...optionsOf(tls, address.host), ...address }), tls.serverName ?? address.host);
}

/** Returns a TLS socket over one that is already connected. */
export function secure(socket: Socket, tls: DialTls & { readonly serverName: string }): TLSSocket {
  return watched(connect({ ...optionsOf(tls, tls.serverName), socket }), tls.serverName);
}

function optionsOf({ serverName, servers, ...tls }: DialTls, host: string): ConnectionOptions {
  const name = serverName ?? host;
  return {
    ...tlsDefaults,
    ...tls,
    // SNI carries names only (RFC 6066). Addresses are still verified.
    servername: isIP(name) === 0 ? name : "",
    checkServerIdentity: (_, certificate) =>
      servers ? servers.faultOf(certificate) : checkServerIdentity(name, certificate),
  };
}

function watched(socket: TLSSocket, name: string): TLSSocket {
  explain(socket, name);
  socket.once("secureConnect", () => {
    if (socket.alpnProtocol !== "h2") socket.destroy(new Error("the server does not speak HTTP/2 (ALPN h2)"));
  });
  return socket;
}
