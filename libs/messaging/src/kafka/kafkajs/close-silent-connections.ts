// A static import, because a bundle contains only what is imported.
// @ts-expect-error -- kafkajs's types omit its inner classes; `KafkaConnection` declares what is used.
import Connection from "kafkajs/src/network/connection.js";

/** The part of kafkajs's connection that is used. */
interface KafkaConnection {
  connectionStatus: string;
  authenticatedAt: unknown;
  chunks: unknown[];
  bytesBuffered: number;
  bytesNeeded: number;
  readonly socket: { destroy(): void } | undefined;
  readonly requestQueue: { destroy(): void };
  rejectRequests(error: Error): void;
}

type Send = (this: KafkaConnection, protocol: unknown) => Promise<unknown>;

const sizeBytes = 4;
let isDone = false;

/**
 * Lets kafkajs close a connection when one of its requests was not answered in time. kafkajs 2.2.4
 * only rejects the request, and sends the next one over the same connection. If the network has
 * forgotten that, nothing arrives until the kernel gives up after a quarter of an hour
 * (tulios/kafkajs#919). The method is replaced in kafkajs's own class, which every connection of
 * this process shares. A second call changes nothing.
 */
export function closeSilentConnections(): void {
  if (isDone) return;
  isDone = true;
  const { prototype } = Connection as { prototype: { send: Send } };
  const { send } = prototype;
  prototype.send = async function (protocol) {
    const { socket } = this;
    try {
      return await send.call(this, protocol);
    } catch (error) {
      const isLate = error instanceof Error && error.name === "KafkaJSRequestTimeoutError";
      if (isLate && this.socket === socket) close(this, error);
      throw error;
    }
  };
}

/** Closes at once: kafkajs's own way would wait for the requests in flight. */
function close(connection: KafkaConnection, reason: Error): void {
  connection.connectionStatus = "disconnected";
  connection.authenticatedAt = null;
  connection.rejectRequests(reason);
  connection.requestQueue.destroy();
  connection.socket?.destroy();
  // Half a response of this connection is no beginning of the next connection's first one.
  connection.chunks = [];
  connection.bytesBuffered = 0;
  connection.bytesNeeded = sizeBytes;
}
