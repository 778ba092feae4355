import { once } from "node:events";
import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";

/** The direction of the bytes that a proxy keeps back: those of the client, or of the server. */
export type Direction = "requests" | "answers";

export interface Proxy extends AsyncDisposable {
  /** The given URL, through this proxy. */
  readonly url: string;
  /** Closes every connection, and each new one at once, as if the server were gone. */
  cut(): void;
  /** Holds all bytes back and keeps every connection open, as if the server were stopped. */
  freeze(): void;
  /**
   * Drops all bytes of the present connections, or those of one direction, and does not end them,
   * as a gateway does that has forgotten them. One side does not learn that the other closes. New
   * connections work.
   */
  silence(direction?: Direction): void;
  /** Holds the bytes of the present connections back until `restore`. New connections work. */
  stall(): void;
  /** Returns the number of open connections from clients. */
  connections(): number;
  /**
   * Returns the number of parts in which clients have sent their bytes: their round trips, if they
   * wait for each answer.
   */
  requests(): number;
  /** Ends `cut`, `freeze` or `stall`, and passes on the bytes that were held back. */
  restore(): void;
}

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly silent: Set<Direction>;
}

/** Starts a TCP proxy in front of the server of `url`. */
export async function proxyTo(url: string): Promise<Proxy> {
  const target = new URL(url);
  const pairs = new Set<Pair>();
  const clients = new Set<Socket>();
  let isCut = false;
  let isFrozen = false;
  let requests = 0;
  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    clients.add(client);
    client.on("close", () => clients.delete(client));
    const upstream = dial(Number(target.port), target.hostname);
    const pair: Pair = { client, upstream, silent: new Set() };
    pairs.add(pair);
    for (const [from, to, direction] of [
      [client, upstream, "requests"],
      [upstream, client, "answers"],
    ] as const) {
      const passes = (): boolean => !pair.silent.has(direction);
      from.on("error", () => passes() && to.destroy());
      from.on("close", () => {
        if (passes()) to.destroy();
        if (client.destroyed && upstream.destroyed) pairs.delete(pair);
      });
      from.on("data", (chunk) => {
        if (direction === "requests") requests++;
        if (passes()) to.write(chunk);
      });
      from.on("end", () => passes() && to.end());
      if (isFrozen) from.pause();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const through = new URL(url);
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sockets = (): Socket[] => [...pairs].flatMap(({ client, upstream }) => [client, upstream]);
  const drop = (): void => {
    for (const socket of sockets()) socket.destroy();
  };
  return {
    url: through.href,
    requests: () => requests,
    cut() {
      isCut = true;
      drop();
    },
    freeze() {
      isFrozen = true;
      for (const socket of sockets()) socket.pause();
    },
    silence(direction) {
      for (const { silent } of pairs) {
        for (const one of direction === undefined ? (["requests", "answers"] as const) : [direction]) silent.add(one);
      }
    },
    stall() {
      for (const socket of sockets()) socket.pause();
    },
    connections: () => clients.size,
    restore() {
      isCut = false;
      isFrozen = false;
      for (const socket of sockets()) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      drop();
      await closed;
    },
  };
}
