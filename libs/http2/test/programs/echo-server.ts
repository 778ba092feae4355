/**
 * A server for tests. It answers every request with 200 and the request's body, or a few octets.
 */
import type { AddressInfo, Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { Connection, createListener, HeaderField, type Http2Stream, type StreamHandler } from "../../src/index.ts";

const headers = [new HeaderField(":status", "200"), new HeaderField("content-type", "text/plain", { repeats: true })];
const hello = Buffer.from("hello\n");

export interface EchoServer extends AsyncDisposable {
  readonly port: number;
  /** The number of open connections. */
  readonly size: number;
}

export async function startEcho(tls?: TlsOptions, answer: readonly HeaderField[] = headers): Promise<EchoServer> {
  const connections = new Set<Connection>();
  const take = (socket: Socket): void => {
    const connection: Connection = new Connection(socket, "server", {
      onStream: (stream, _fields, isLast) => new Echo(stream, isLast, answer),
      onClose: () => connections.delete(connection),
    });
    connections.add(connection);
  };
  const server = tls === undefined ? createListener(take) : createTlsServer({ ALPNProtocols: ["h2"], ...tls }, take);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get size() {
      return connections.size;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of connections) connection.destroy();
      await closed;
    },
  };
}

class Echo implements StreamHandler {
  readonly #stream: Http2Stream;
  readonly #headers: readonly HeaderField[];
  readonly #parts: Buffer[] = [];

  constructor(stream: Http2Stream, isLast: boolean, headers: readonly HeaderField[]) {
    this.#stream = stream;
    this.#headers = headers;
    if (isLast) this.#answer();
  }

  onHeaders(): void {}

  onData(bytes: Buffer, isLast: boolean): void {
    this.#parts.push(bytes);
    this.#stream.consume(bytes.length);
    if (isLast) this.#answer();
  }

  onTrailers(): void {
    this.#answer();
  }

  onReset(): void {}

  onDrain(): void {}

  #answer(): void {
    const body = Buffer.concat(this.#parts);
    this.#stream.sendHeaders(this.#headers, false);
    this.#stream.sendData(body.length > 0 ? body : hello, true);
  }
}
