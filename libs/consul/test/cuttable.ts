import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { ClientTls } from "@plumbline/rpc";
import { testCa, testServer } from "@plumbline/rpc/conformance";

/** A TLS proxy in front of an agent, whose connections a test cuts or mutes. */
export interface Cuttable extends AsyncDisposable {
  readonly url: string;
  readonly tls: ClientTls;
  /** Closes every connection, and each new one at once. */
  cut(): void;
  /** Lets the present connections go silent. New ones work. */
  mute(): void;
  restore(): void;
  /** Returns the number of open connections. */
  connections(): number;
}

export async function cuttable(url: string): Promise<Cuttable> {
  const target = new URL(url);
  const pairs = new Set<readonly [TLSSocket, Socket]>();
  let isCut = false;
  const { certificate: cert, key } = testServer;
  const server = createServer({ cert, key }, (client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const [socket, peer] of [pair, [upstream, client]] as const) {
      socket.on("error", () => peer.destroy());
      socket.on("close", () => {
        peer.destroy();
        pairs.delete(pair);
      });
      socket.on("data", (chunk) => void peer.write(chunk));
    }
  });
  // Before the handshake, which would take its time.
  server.on("connection", (socket: Socket) => {
    if (isCut) socket.resetAndDestroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const drop = (): void => {
    for (const [client] of pairs) client.destroy();
  };
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tls: { ca: testCa },
    cut() {
      isCut = true;
      drop();
    },
    mute() {
      for (const pair of pairs) {
        for (const socket of pair) socket.removeAllListeners("data").resume();
      }
    },
    restore() {
      isCut = false;
    },
    connections: () => pairs.size,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      drop();
      await closed;
    },
  };
}
