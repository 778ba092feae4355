import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";

/** A server in an SRV record. */
export interface Service {
  readonly host: string;
  readonly port: number;
  readonly priority?: number;
}

/** A DNS server on this machine, whose answers the test changes. */
export interface NameServer extends AsyncDisposable {
  /** Its address as the authority of a target: dns://127.0.0.1:PORT/replicas.test:50051. */
  readonly authority: string;
  /** The IPv4 addresses of every name that has none of its own. */
  addresses: readonly string[];
  /** The IPv4 addresses of names. */
  readonly named: Map<string, readonly string[]>;
  /** The SRV records of every name. */
  services: readonly Service[];
  /** "fail" answers each question with SERVFAIL, "silent" answers none. */
  state: "answer" | "fail" | "silent";
  /** Seconds that an answer may be kept. */
  ttl: number;
  /** The number of answered questions for addresses. */
  readonly asked: number;
}

const types = { a: 1, srv: 33 };
const serverFailure = 2;

/** Answers questions for A and SRV records, and others with none (RFC 1035, section 4.1). */
export async function startNameServer(addresses: readonly string[] = []): Promise<NameServer> {
  const socket = createSocket("udp4");
  const server = {
    addresses,
    named: new Map<string, readonly string[]>(),
    services: [] as readonly Service[],
    state: "answer" as NameServer["state"],
    ttl: 0,
    asked: 0,
  };
  socket.on("message", (query, from) => {
    if (server.state !== "silent") answer(query, from);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  return Object.assign(server, {
    authority: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(socket, "close");
      socket.close();
      await closed;
    },
  });

  function answer(query: Buffer, from: RemoteInfo): void {
    const { name, end } = nameIn(query);
    const type = query.readUInt16BE(end);
    const isFailing = server.state === "fail";
    const records = isFailing ? [] : recordsOf(name, type).map((data) => record(type, server.ttl, data));
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8580 + (isFailing ? serverFailure : 0), 2); // An authoritative answer.
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    header.writeUInt32BE(0, 8);
    if (type === types.a) server.asked++;
    socket.send(Buffer.concat([header, query.subarray(12, end + 4), ...records]), from.port, from.address);
  }

  function recordsOf(name: string, type: number): Buffer[] {
    if (type === types.srv) return server.services.map(service);
    if (type !== types.a) return [];
    return (server.named.get(name) ?? server.addresses).map((address) => Buffer.from(address.split(".").map(Number)));
  }
}

/** Reads the question's name: labels with their length, and a zero. */
function nameIn(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), end: at + 1 };
}

function record(type: number, ttl: number, data: Buffer): Buffer {
  const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]); // The name that was asked for.
  head.writeUInt32BE(ttl, 6);
  return Buffer.concat([head, data]);
}

function service({ host, port, priority = 0 }: Service): Buffer {
  const labels = host.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  const head = Buffer.alloc(6);
  head.writeUInt16BE(priority, 0);
  head.writeUInt16BE(port, 4);
  return Buffer.concat([head, ...labels, Buffer.from([0])]);
}
