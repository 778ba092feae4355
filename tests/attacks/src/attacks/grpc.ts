import type { Socket } from "node:net";
import { sleep } from "@plumbline/concurrency";
import { besideVictims, seedBigPage } from "../api.ts";
import type { Attack } from "../attack.ts";
import { open } from "../sockets.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const [dataFrame, headersFrame, settingsFrame] = [0, 1, 4];
const [endStream, endHeaders] = [1, 4];

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header field without indexing. Names and values are shorter than 127 bytes. */
function field(name: string, value: string): Buffer {
  const text = (one: string) => Buffer.concat([Buffer.of(one.length), Buffer.from(one, "latin1")]);
  return Buffer.concat([Buffer.of(0), text(name), text(value)]);
}

function requestHead(path: string): Buffer {
  return Buffer.concat([
    field(":method", "POST"),
    field(":scheme", "http"),
    field(":path", path),
    field(":authority", "x"),
    field("content-type", "application/grpc"),
    field("te", "trailers"),
  ]);
}

function message(payload: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

export const listPath = "/orders.v1.OrdersService/ListOrders";
/** ListOrders of the customer "big": field 1 is the customer, field 2 the size of the page. */
export const listBig = message(Buffer.from([0x0a, 3, ...Buffer.from("big"), 0x10, 100]));
/** The window of each stream is 0, so that nothing may be sent. */
const noWindow = frame(settingsFrame, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));

/** Opens a connection that asks for nothing to be sent, whatever it calls. */
export function openUnread(port: number, localAddress?: string): Socket {
  const socket = open(port, localAddress);
  socket.on("data", () => {});
  socket.write(Buffer.concat([preface, noWindow]));
  return socket;
}

/** Calls ListOrders on a connection of `openUnread`, the first time with number 0. */
export function listUnread(socket: Socket, number: number): void {
  const stream = 1 + 2 * number;
  socket.write(
    Buffer.concat([
      frame(headersFrame, endHeaders, stream, requestHead(listPath)),
      frame(dataFrame, endStream, stream, listBig),
    ]),
  );
}

export const unreadCalls: Attack = {
  name: "gRPC answers that are not read",
  right: "orders grows by 96 MiB at most, and calls of the gateway go on",
  async run(target, full) {
    await seedBigPage(target);
    const count = full ? 300 : 150;
    const before = target.memory("orders");
    let peak = before;
    const { seen, misses } = await besideVictims(target, async () => {
      const peer = openUnread(target.ports.orders);
      for (let call = 0; call < count && !peer.destroyed; call++) {
        listUnread(peer, call);
        await sleep(20);
        peak = Math.max(peak, target.memory("orders"));
      }
      await sleep(2_000);
      peak = Math.max(peak, target.memory("orders"));
      peer.destroy();
    });
    const grown = Math.round(peak - before);
    return {
      sent: count,
      seen: `${seen}; orders grew by ${grown} MiB`,
      misses: [...misses, ...(grown <= 96 ? [] : [`orders grew by ${grown} MiB, at most 96 wanted`])],
    };
  },
};
