import { once } from "node:events";
import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";

export interface Proxy extends AsyncDisposable {
  /** The given URL, through this proxy. */
  readonly url: string;
  /** Closes every connection, and each new one at once, as if the server were gone. */
  cut(): void;
  /** Holds all bytes back and keeps every connection open, as if the server were stopped. */
  freeze(): void;
  /**
   * Drops all bytes of the present connections and does not end them, as a gateway does that has
   * forgotten them. New ones work.
   */
  silence(): void;
  /** Returns the number of open connections from clients. */
  connections(): number;
  /** Ends `cut` or `freeze`, and passes on the bytes that were held back. */
  restore(): void;
}

/** Starts a TCP proxy in front of the server of `url`. */
export async function proxyTo(url: string): Promise<Proxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const silent = new Set<Socket>();
  const clients = new Set<Socket>();
  let isCut = false;
  let isFrozen = false;
  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    clients.add(client);
    client.on("close", () => clients.delete(client));
    const upstream = dial(Number(target.port), target.hostname);
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => peer.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        silent.delete(socket);
        peer.destroy();
      });
      socket.on("data", (chunk) => {
        if (!silent.has(socket)) peer.write(chunk);
      });
      socket.on("end", () => peer.end());
      if (isFrozen) socket.pause();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const through = new URL(url);
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: through.href,
    cut() {
      isCut = true;
      drop();
    },
    freeze() {
      isFrozen = true;
      for (const socket of sockets) socket.pause();
    },
    silence() {
      for (const socket of sockets) silent.add(socket);
    },
    connections: () => clients.size,
    restore() {
      isCut = false;
      isFrozen = false;
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      drop();
      await closed;
    },
  };
}
