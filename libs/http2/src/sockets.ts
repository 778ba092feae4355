import { connect, createServer, type Server, type Socket } from "node:net";

/** Returns a server for connections in the clear ("prior knowledge"). It does not listen yet. */
export function createListener(onSocket: (socket: Socket) => void): Server {
  return createServer({ noDelay: true }, onSocket);
}

/**
 * Returns a socket that connects in the clear. A `Connection` may take it at once: earlier writes
 * are buffered.
 */
export function dial(address: { readonly host: string; readonly port: number }): Socket {
  return connect({ ...address, noDelay: true });
}
