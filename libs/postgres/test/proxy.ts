import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy that can fail. Frozen links stay open and pass nothing on in either direction. */
export interface Proxy extends AsyncDisposable {
  /** The given URL, through the proxy. */
  readonly url: string;
  /** The number of links made so far. */
  readonly links: number;
  /** The number of chunks from the client: its round trips if it waits for each answer. */
  readonly asked: number;
  /** Freezes all links, present and future, until thawed. */
  freeze(): void;
  /** Freezes future links only. */
  freezeNew(): void;
  /** Unfreezes all links and passes on the data that was held back. */
  thaw(): void;
  /** Resets every present link. */
  cut(): void;
  /** Freezes the direction from the server to the client. */
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
