import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Connection, createListener, ErrorCode, HeaderField, type Http2Stream } from "@plumbline/http2";

export interface OddServer extends AsyncDisposable {
  readonly port: number;
}

const grpc = [new HeaderField(":status", "200"), new HeaderField("content-type", "application/grpc")];
const succeeded = [new HeaderField("grpc-status", "0")];
const ignore = { onHeaders() {}, onData() {}, onTrailers() {}, onReset() {}, onDrain() {} };

/** Broken responses, by the path of the call. */
const answers: Readonly<Record<string, (stream: Http2Stream, connection: Connection) => void>> = {
  "/compressed"(stream) {
    stream.sendHeaders(grpc, false);
    stream.sendData(Buffer.from("compressed"), false, Buffer.from([1, 0, 0, 0, 10]));
    stream.sendHeaders(succeeded, true);
  },
  "/reset": (stream) => stream.reset(ErrorCode.internalError),
  "/http"(stream) {
    stream.sendHeaders([new HeaderField(":status", "503"), new HeaderField("content-type", "text/html")], false);
    stream.sendData(Buffer.from("<h1>come back later</h1>"), true);
  },
  "/unfinished"(stream) {
    stream.sendHeaders(grpc, false);
    stream.sendData(Buffer.alloc(5), true);
  },
  "/cut"(stream, connection) {
    stream.sendHeaders(grpc, false);
    connection.destroy();
  },
};

/** An HTTP/2 server that violates gRPC, or closes its connections. */
export async function startOddServer(): Promise<OddServer> {
  const connections = new Set<Connection>();
  const listener = createListener((socket) => {
    const connection: Connection = new Connection(socket, "server", {
      onStream(stream, fields) {
        const path = fields.find(({ name }) => name === ":path")?.value ?? "";
        // After the request was accepted: a turn later its frames have arrived.
        setImmediate(() => answers[path]?.(stream, connection));
        return ignore;
      },
      onClose: () => connections.delete(connection),
    });
    connections.add(connection);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    port: (listener.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(listener, "close");
      listener.close();
      for (const connection of connections) connection.destroy();
      await closed;
    },
  };
}
