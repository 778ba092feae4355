import { connect, createServer, type Socket } from "node:net";

/** A network between us and the server that can fail: frozen links pass nothing on, in either direction, and stay open. */
export interface Proxy extends AsyncDisposable {
  /** The given url, through the proxy. */
  readonly url: string;
  /** Links made so far. */
  readonly links: number;
  /** Chunks that came from our side: of a client that waits for each answer, its round trips. */
  readonly asked: number;
  /** From now on passes nothing, on links there are and links to come, until thawed. */
  freeze(): void;
  /** As `freeze`, for links made from now on only. */
  freezeNew(): void;
  /** Passes on what was held back. */
  thaw(): void;
  /** Cuts every link there is. */
  cut(): void;
  /** Holds back what the server answers, and passes on what it is asked. */
  freezeAnswers(): void;
}

export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<{ near: Socket; far: Socket }>();
  let frozen = false;
  let links = 0;
  let asked = 0;
  const server = createServer({ pauseOnConnect: true }, (near) => {
    links++;
    const far = connect(Number(port), hostname);
    const pair = { near, far };
    pairs.add(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("data", (chunk) => to.write(chunk));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        pairs.delete(pair);
        to.destroy();
      });
    }
    near.on("data", () => asked++);
    if (frozen) far.pause();
    else near.resume();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  const url = new URL(target);
  url.port = String(typeof address === "object" ? address?.port : "");
  return {
    url: url.href,
    get links() {
      return links;
    },
    get asked() {
      return asked;
    },
    freeze() {
      frozen = true;
      for (const { near, far } of pairs) [near, far].forEach((socket) => socket.pause());
    },
    freezeNew() {
      frozen = true;
    },
    freezeAnswers() {
      for (const { far } of pairs) far.pause();
    },
    thaw() {
      frozen = false;
      for (const { near, far } of pairs) [near, far].forEach((socket) => socket.resume());
    },
    cut() {
      for (const { near, far } of pairs) [near, far].forEach((socket) => socket.resetAndDestroy());
    },
    async [Symbol.asyncDispose]() {
      for (const { near, far } of pairs) [near, far].forEach((socket) => socket.destroy());
      await new Promise((closed) => server.close(closed));
    },
  };
}
