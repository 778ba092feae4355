import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer } from "node:tls";

/** A certificate and its key in PEM. */
export interface TlsPair {
  readonly certificate: string;
  readonly key: string;
}

export interface TlsFrontOptions {
  /** The authorities of client certificates, which are then required. */
  readonly clientCa?: string | undefined;
}

/** A server of TLS in front of one without it. It passes on what any protocol sends. */
export interface TlsFront extends AsyncDisposable {
  /** The address: "127.0.0.1:40123". */
  readonly host: string;
  /** Shows another certificate, to new connections; the present ones are closed. */
  present(pair: TlsPair): void;
}

/** Starts a server of TLS in front of the server of `url`, with HTTP/2 for those who ask for it. */
export async function tlsFrontOf(url: string, pair: TlsPair, options: TlsFrontOptions = {}): Promise<TlsFront> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const { clientCa } = options;
  const settings = ({ certificate: cert, key }: TlsPair) => ({
    cert,
    key,
    ALPNProtocols: ["h2", "http/1.1"],
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  });
  const server = createServer(settings(pair), (client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => peer.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        peer.destroy();
      });
      socket.pipe(peer);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    present(next) {
      server.setSecureContext(settings(next));
      drop();
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      drop();
      await closed;
    },
  };
}
