/** One client at its limit, in each of the ways that take from others. */
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import type { Socket } from "node:net";
import { sleep } from "@plumbline/concurrency";
import { bigPage, placed, setSupplier } from "../api.ts";
import type { Target } from "../attack.ts";
import { listBig, listPath, listUnread, openUnread } from "../attacks/grpc.ts";
import { placeBig } from "../attacks/orders.ts";
import { open, readWhole } from "../sockets.ts";

export interface FairnessCase {
  readonly name: string;
  /** Requests a second, of the one client or of the polite ones together. */
  readonly perSecond: number;
  /** The bound that stops the one client, for the table. */
  readonly limit: string;
  /** The other client's request; a mix of small ones if not given. */
  readonly victim?: "orders";
  /** Returns the senders of one request: of the one client, and of a polite one. */
  start(target: Target): Promise<Senders>;
}

export interface Senders extends AsyncDisposable {
  /** Sends a request and does not wait. Returns the connection if that is still needed. */
  readonly hostile: (index: number, address: string) => Socket | undefined;
  /** Sends the same request, and reads the answer. Returns its status. */
  readonly polite: (index: number, address: string) => Promise<string>;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
const getOnce = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`;
const greeting = "/v1/greetings/polite";
const nothing = async () => {};

const bodies: FairnessCase = {
  name: "bodies that never come",
  perSecond: 400,
  limit: "256 bodies under way",
  start: async ({ ports }) => {
    const body = '{"name":"polite"}';
    const head = (connection: string) =>
      `POST /v1/greetings HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: ${connection}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    return {
      hostile: (_, address) => sent(open(ports.gateway, address), `${head("keep-alive")}{`),
      polite: (_, address) => readWhole(ports.gateway, head("close") + body, address),
      [Symbol.asyncDispose]: nothing,
    };
  },
};

const streams: FairnessCase = {
  name: "idle streams",
  perSecond: 200,
  limit: "100 streams",
  async start(target) {
    // The order stays pending, so that its streams stay open.
    await setSupplier(target, { failing: ["kettle"] });
    const id = await placed(target, "streams", [{ sku: "kettle", quantity: 1 }]);
    const watch = get(`/v1/orders/${id}:watch`);
    return {
      hostile: (_, address) => sent(open(target.ports.gateway, address), watch),
      async polite(_, address) {
        const socket = sent(open(target.ports.gateway, address), watch);
        const [first] = (await once(socket, "data")) as [Buffer];
        await sleep(1_000);
        socket.destroy();
        return first.toString("latin1", 9, 12);
      },
      [Symbol.asyncDispose]: () => setSupplier(target, { failing: [] }),
    };
  },
};

const unread: FairnessCase = {
  name: "answers that are not read",
  perSecond: 40,
  limit: "8 MiB of unread answers, 4 requests of a connection",
  start: async ({ ports }) => {
    let socket: Socket | undefined;
    return {
      hostile(index, address) {
        if (index % 12 === 0) {
          socket = open(ports.gateway, address);
          socket.pause();
        }
        return socket && sent(socket, get(bigPage));
      },
      polite: (_, address) => readWhole(ports.gateway, getOnce(bigPage), address),
      [Symbol.asyncDispose]: nothing,
    };
  },
};

const hangUps: FairnessCase = {
  name: "requests that are given up",
  perSecond: 200,
  limit: "20 a second",
  start: async ({ ports }) => {
    const path = "/v1/orders?customerId=big&pageSize=1";
    return {
      hostile(_, address) {
        const socket = open(ports.gateway, address);
        socket.write(get(path), () => setTimeout(() => socket.resetAndDestroy(), 6));
        return undefined;
      },
      polite: (_, address) => readWhole(ports.gateway, getOnce(path), address),
      [Symbol.asyncDispose]: nothing,
    };
  },
};

const connections: FairnessCase = {
  name: "connections that stay",
  perSecond: 400,
  limit: "1,000 connections",
  start: async ({ ports }) => ({
    hostile: (_, address) => sent(open(ports.gateway, address), get(greeting)),
    polite: (_, address) => readWhole(ports.gateway, getOnce(greeting), address),
    [Symbol.asyncDispose]: nothing,
  }),
};

const unreadCalls: FairnessCase = {
  name: "gRPC answers that are not read",
  perSecond: 40,
  limit: "a quarter of the octets held for callers",
  async start({ ports }) {
    let socket: Socket | undefined;
    return {
      hostile(index, address) {
        const call = index % 100;
        if (call === 0) socket = openUnread(ports.orders, address);
        if (socket !== undefined) listUnread(socket, call);
        return socket;
      },
      polite: (_, address) => listRead(ports.orders, address),
      [Symbol.asyncDispose]: nothing,
    };
  },
};

const queue: FairnessCase = {
  name: "big orders",
  perSecond: 20,
  limit: "10,000 items of unanswered orders",
  victim: "orders",
  start: async (target) => ({
    hostile(index, address) {
      void placeBig(target, index, address);
      return undefined;
    },
    polite: async (index, address) => String(await placeBig(target, index, address)),
    [Symbol.asyncDispose]: nothing,
  }),
};

/** The queue of orders comes last, since it drains slowly. */
export const fairnessCases: readonly FairnessCase[] = [
  bodies,
  streams,
  unread,
  hangUps,
  connections,
  unreadCalls,
  queue,
];

/** Writes bytes, and drops all that comes back, unless the socket is paused. */
function sent(socket: Socket, bytes: string): Socket {
  if (!socket.isPaused()) socket.resume();
  socket.write(bytes);
  return socket;
}

/** Calls ListOrders, reads the answer, and returns 200 if gRPC's status is OK. */
async function listRead(port: number, address: string): Promise<string> {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { createConnection: () => open(port, address) });
  session.on("error", () => {});
  try {
    const call = session.request({
      ":method": "POST",
      ":path": listPath,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let status = "no answer";
    call.on("trailers", (trailers) => {
      status = trailers["grpc-status"] === "0" ? "200" : `grpc-status ${trailers["grpc-status"]}`;
    });
    call.on("error", () => {});
    call.setTimeout(10_000, () => call.close());
    call.end(listBig);
    call.resume();
    await once(call, "close");
    return status;
  } catch {
    return "no answer";
  } finally {
    session.close();
  }
}
