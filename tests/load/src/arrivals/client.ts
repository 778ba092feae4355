import { Agent, type IncomingMessage, request } from "node:http";

const requestMs = 10_000;
/** Connections that last. In turn, so that none is idle for long. */
const lastingConnections = 8;

export interface Call {
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Uses a connection that lasts. Otherwise the request has a connection of its own. */
  readonly keepAlive: boolean;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * An HTTP/1.1 client that never sends a request twice. Unlike `fetch` it lets the caller decide
 * which connection a request uses.
 */
export class Client implements Disposable {
  readonly #base: string;
  readonly #lasting = new Agent({ keepAlive: true, maxFreeSockets: lastingConnections, scheduling: "fifo" });
  readonly #single = new Agent({ keepAlive: false });

  constructor(base: string) {
    this.#base = base;
  }

  /** Returns the response with its whole body. Rejects if the connection breaks, or after 10 s. */
  async send(call: Call): Promise<Answer> {
    const response = await this.open(call, AbortSignal.timeout(requestMs));
    let body = "";
    for await (const chunk of response.setEncoding("utf8")) body += chunk as string;
    return { status: response.statusCode ?? 0, body };
  }

  /** Returns a response once its head has come. */
  open({ method = "GET", path, headers = {}, body, keepAlive }: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const agent = keepAlive ? this.#lasting : this.#single;
    const sent = request(new URL(path, this.#base), { method, headers, agent, signal }, resolve);
    sent.on("error", (error: NodeJS.ErrnoException) => {
      const connection = sent.reusedSocket ? "a used connection" : "a new connection";
      reject(new Error(`${method} on ${connection}: ${error.code ?? error.name}`, { cause: error }));
    });
    sent.end(body);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#lasting.destroy();
    this.#single.destroy();
  }
}
