import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An HTTP proxy in front of an agent, which counts requests and changes answers. */
export interface Front extends AsyncDisposable {
  readonly url: string;
  /** The times of all requests, by the monotonic clock. */
  readonly requests: number[];
  /** The number of open connections. */
  connections(): Promise<number>;
  /** Answers or withholds a request. Returns false to pass it on. */
  answer: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Changes the index of an answer. */
  index: (index: string) => string;
}

export async function frontOf(url: string): Promise<Front> {
  const requests: number[] = [];
  const server = createServer((incoming, response) => {
    requests.push(performance.now());
    if (front.answer(incoming, response)) return;
    const { method, headers } = incoming;
    const onward = request(new URL(incoming.url ?? "/", url), { method, headers, agent: false }, (answer) => {
      const index = answer.headers["x-consul-index"];
      if (typeof index === "string") answer.headers["x-consul-index"] = front.index(index);
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const front: Front = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    answer: () => false,
    index: (index) => index,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return front;
}

/** The largest number of requests that started within one `ms` of each other. */
export function mostWithin(requests: readonly number[], ms: number): number {
  return Math.max(0, ...requests.map((from) => requests.filter((at) => at >= from && at < from + ms).length));
}
