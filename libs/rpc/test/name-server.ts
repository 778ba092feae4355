import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A DNS server on this machine for one name, whose addresses the test changes. */
export interface NameServer extends AsyncDisposable {
  /** Its address as the authority of a target: dns://127.0.0.1:PORT/replicas.test:50051. */
  readonly authority: string;
  /** The IPv4 addresses of the next answer. */
  addresses: readonly string[];
  /** The number of answered questions. */
  readonly asked: number;
}

const typeA = 1;

/**
 * Answers questions for A records with `addresses` and others with none (RFC 1035, section 4.1).
 * Answers must not be cached.
 */
export async function startNameServer(addresses: readonly string[]): Promise<NameServer> {
  const socket = createSocket("udp4");
  const state = { addresses, asked: 0 };
  socket.on("message", (query, from) => {
    let end = 12; // After the header, the question's name: labels with their length, and a zero.
    while (query[end] !== 0 && end < query.length) end += 1 + (query[end] ?? 0);
    const question = query.subarray(12, end + 5);
    const isA = query.readUInt16BE(end + 1) === typeA;
    const records = isA ? state.addresses.map(record) : [];
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8580, 2); // An authoritative answer without error.
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    header.writeUInt32BE(0, 8);
    if (isA) state.asked++;
    socket.send(Buffer.concat([header, question, ...records]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  return Object.assign(state, {
    authority: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(socket, "close");
      socket.close();
      await closed;
    },
  });
}

function record(address: string): Buffer {
  const head = [0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4]; // The name asked for, A, IN, a time to live of 0, four bytes.
  return Buffer.from([...head, ...address.split(".").map(Number)]);
}
