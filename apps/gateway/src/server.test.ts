import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Places } from "@plumbline/concurrency";
import { type HttpServer, listen } from "./server.ts";

const options = { host: "127.0.0.1", port: 0, graceMs: 5000, lingerMs: 2000 };

/** Opens a connection and collects the bytes that it receives. */
async function open(server: HttpServer): Promise<{ socket: Socket; received: (pattern: RegExp) => Promise<string> }> {
  const socket = connect(server.port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    socket.emit("more");
  });
  await once(socket, "connect");
  const received = async (pattern: RegExp): Promise<string> => {
    const signal = AbortSignal.timeout(10_000);
    while (!pattern.test(text)) await once(socket, "more", { signal });
    return text;
  };
  return { socket, received };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

describe("closing", () => {
  test("still answers a request that arrives on an idle connection", async () => {
    const server = await listen((request, response) => response.end(`[${request.url}]`), options);
    const { socket, received } = await open(server);
    socket.write(get("/1"));
    await received(/\[\/1\]/);
    const closed = server[Symbol.asyncDispose]();
    await assert.rejects(once(connect(server.port, "127.0.0.1"), "connect"), { code: "ECONNREFUSED" });
    socket.write(get("/2"));
    await received(/\[\/2\]/);
    await Promise.all([closed, once(socket, "close")]);
  });

  test("waits for a response in flight", async () => {
    let answer = (): void => {};
    const started = Promise.withResolvers<void>();
    const server = await listen(
      (_request, response) => {
        answer = () => response.end("[done]");
        started.resolve();
      },
      { ...options, lingerMs: 0 },
    );
    const { socket, received } = await open(server);
    socket.write(get("/"));
    await started.promise;
    const closed = server[Symbol.asyncDispose]();
    setImmediate(answer);
    await received(/\[done\]/);
    await closed;
  });

  test("cuts connections that have no response within the grace period", async () => {
    const started = Promise.withResolvers<void>();
    const server = await listen(() => started.resolve(), { ...options, graceMs: 50 });
    const { socket } = await open(server);
    socket.write(get("/"));
    await started.promise;
    await Promise.all([server[Symbol.asyncDispose](), once(socket, "close")]);
  });
});

describe("connections", () => {
  const from = async (server: HttpServer, localAddress: string): Promise<Socket> => {
    const socket = connect({ port: server.port, host: "127.0.0.1", localAddress }).on("error", () => {});
    await once(socket, "connect");
    return socket;
  };

  test("one client leaves room for others, and its oldest idle connection is closed for a new one", async () => {
    const busy = new Set<number | undefined>();
    await using server = await listen(
      ({ socket }) => {
        busy.add(socket.remotePort);
      },
      {
        ...options,
        graceMs: 50,
        lingerMs: 0,
        places: new Places({ inAll: 6, perPeer: 4 }),
        isIdle: ({ remotePort }) => !busy.has(remotePort),
      },
    );
    const first = await from(server, "127.0.0.66");
    first.write(get("/"));
    while (busy.size === 0) await sleep(5);
    const idle = [];
    for (let i = 0; i < 20; i++) idle.push(await from(server, "127.0.0.66"));
    const { socket, received } = await open(server);
    while (idle.filter(({ destroyed }) => destroyed).length < 17) await sleep(5);
    assert.deepEqual(
      idle.map(({ destroyed }) => destroyed),
      [...Array<boolean>(17).fill(true), false, false, false],
    );
    assert.equal(first.destroyed, false);
    socket.write("nonsense\r\n\r\n");
    await received(/ 400 /);
    for (const each of [first, ...idle]) each.destroy();
  });
});

describe("a request that is not HTTP", () => {
  for (const { name, sent, status } of [
    { name: "random bytes", sent: "\u0001\u0002\r\n\r\n", status: 400 },
    {
      name: "two different lengths",
      sent: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      status: 400,
    },
    {
      name: "a head that is too large",
      sent: `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
      status: 431,
    },
  ]) {
    test(`${name}: the response is ${status} with a problem document, and the connection closes`, async () => {
      await using server = await listen((_request, response) => response.end(), { ...options, lingerMs: 0 });
      const { socket, received } = await open(server);
      socket.write(sent);
      const text = await received(/\}$/);
      assert.match(text, new RegExp(`^HTTP/1.1 ${status} `));
      assert.equal((JSON.parse(text.slice(text.indexOf("{"))) as { status: number }).status, status);
      if (!socket.closed) await once(socket, "close");
    });
  }
});
