import { connect } from "node:net";

/**
 * A metadata request, version 4, for no topics: length, api key 3, version 4, correlation id 1,
 * client id "up", no topics, no creation.
 */
const metadataRequest = Buffer.from([0, 0, 0, 17, 0, 3, 0, 4, 0, 0, 0, 1, 0, 2, 0x75, 0x70, 0, 0, 0, 0, 0]);

/**
 * Returns true if a broker of this cluster answers and lists itself. An open port proves less: the
 * broker listens seconds before it is registered, and another program may have the port.
 */
export function answers(port: number, cluster: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(port, "127.0.0.1");
    let received = Buffer.alloc(0);
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("close", () => settle(false));
    socket.on("connect", () => socket.write(metadataRequest));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 16 || received.length < 4 + received.readInt32BE(0)) return;
      const brokers = received.readInt32BE(12);
      settle(brokers > 0 && received.includes(cluster));
      socket.destroy();
    });
  });
}

/**
 * Makes the broker create its two internal topics now, not for the first client: by a
 * FindCoordinator request, version 1, for a group and one for a transaction.
 */
export async function warm(port: number): Promise<void> {
  const ask = (type: number) =>
    new Promise<void>((settle) => {
      const socket = connect(port, "127.0.0.1");
      socket.setTimeout(2_000, () => socket.destroy());
      socket.on("error", () => undefined);
      socket.on("close", () => settle());
      socket.on("data", () => socket.destroy());
      socket.on("connect", () =>
        socket.write(
          Buffer.from([0, 0, 0, 19, 0, 10, 0, 1, 0, 0, 0, 2, 0, 2, 0x75, 0x70, 0, 4, 0x77, 0x61, 0x72, 0x6d, type]),
        ),
      );
    });
  await Promise.all([ask(0), ask(1)]);
}
