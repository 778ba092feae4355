/** Tests of two of our connections, or of one and a raw peer, over real sockets. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { Flag, FrameType, maxStreamId, preface } from "../src/frames/types.ts";
import {
  Connection,
  type ConnectionHandler,
  type ConnectionOptions,
  createListener,
  dial,
  ErrorCode,
  HeaderField,
  type Http2Stream,
  type StreamError,
  type StreamHandler,
} from "../src/index.ts";
import { certificate, privateKey } from "./certificate.ts";
import { startEcho } from "./programs/echo-server.ts";
import { block, type Frame, frame, RawPeer, request, settings, uint32 } from "./raw-peer.ts";

const get = [
  new HeaderField(":method", "GET"),
  new HeaderField(":scheme", "http"),
  new HeaderField(":path", "/"),
  new HeaderField(":authority", "test", { repeats: true }),
];

/** The events of a stream, with a promise for its end. */
class Recorder implements StreamHandler {
  readonly body: Buffer[] = [];
  headers: readonly HeaderField[] = [];
  drains = 0;
  stream: Http2Stream | undefined;
  readonly #ended = Promise.withResolvers<StreamError | undefined>();
  readonly ended = this.#ended.promise;
  /** If true, octets are consumed as they arrive. */
  consumes = true;

  onHeaders(fields: readonly HeaderField[], isLast: boolean): void {
    this.headers = fields;
    if (isLast) this.#ended.resolve(undefined);
  }

  onData(bytes: Buffer, isLast: boolean): void {
    this.body.push(bytes);
    if (this.consumes) this.stream?.consume(bytes.length);
    if (isLast) this.#ended.resolve(undefined);
  }

  onTrailers(): void {
    this.#ended.resolve(undefined);
  }

  onReset(error: StreamError): void {
    this.#ended.resolve(error);
  }

  onDrain(): void {
    this.drains++;
  }
}

async function client(socket: Socket, options: ConnectionOptions = {}, on: ConnectionHandler = {}) {
  const ready = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<Error | undefined>();
  const connection = new Connection(
    socket,
    "client",
    { ...on, onSettings: ready.resolve, onClose: closed.resolve },
    options,
  );
  await Promise.race([ready.promise, closed.promise]);
  return {
    connection,
    closed: closed.promise,
    open(isLast = true): Recorder {
      const exchange = new Recorder();
      exchange.stream = connection.open(get, isLast, exchange);
      return exchange;
    },
    [Symbol.dispose]: () => connection.destroy(),
  };
}

/** Serves one connection with a raw peer. */
async function rawServer(...pairs: readonly [number, number][]) {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ host: "127.0.0.1", port });
  const [accepted] = (await once(listener, "connection")) as [Socket];
  listener.close();
  const peer = new PrefaceSkipper(accepted);
  peer.send(settings(...pairs));
  return { peer, socket };
}

class PrefaceSkipper extends RawPeer {
  constructor(socket: Socket) {
    const emit = socket.emit.bind(socket);
    let left = preface.length;
    socket.emit = (name: string, ...values: unknown[]) => {
      const [chunk] = values;
      if (name !== "data" || left === 0 || !Buffer.isBuffer(chunk)) return emit(name, ...values);
      const skipped = Math.min(left, chunk.length);
      left -= skipped;
      return chunk.length > skipped && emit(name, chunk.subarray(skipped));
    };
    super(socket);
  }
}

test("a request is answered, over TLS as in the clear", async () => {
  for (const tls of [undefined, { cert: certificate, key: privateKey }]) {
    await using server = await startEcho(tls);
    const address = { host: "127.0.0.1", port: server.port };
    using one = await client(
      tls === undefined ? dial(address) : connectTls({ ...address, ca: certificate, ALPNProtocols: ["h2"] }),
    );
    const exchange = one.open();
    assert.equal(await exchange.ended, undefined);
    assert.equal(Buffer.concat(exchange.body).toString(), "hello\n");
  }
});

test("a body larger than every window crosses whole, and holds no more than the window unread", async () => {
  await using server = await startEcho();
  using one = await client(dial({ host: "127.0.0.1", port: server.port }), { streamWindow: 65_535 });
  const exchange = one.open(false);
  const body = Buffer.alloc(3_000_000, "0123456789");
  exchange.consumes = false;
  assert.equal(exchange.stream?.sendData(body, true), false);
  const size = () => exchange.body.reduce((sum, { length }) => sum + length, 0);
  while (size() < 65_535) await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(size(), 65_535);
  exchange.consumes = true;
  exchange.stream?.consume(65_535);
  assert.equal(await exchange.ended, undefined);
  assert.ok(Buffer.concat(exchange.body).equals(body));
});

test("data waits for the windows of stream and connection, and until a reduced window is positive again", async () => {
  await using server = await startEcho();
  using peer = await RawPeer.of(server.port, [4, 2]);
  peer.send(request(1));
  await peer.until(() => peer.received(1) === 2);
  peer.send(settings([4, 0])); // The window of the stream is now -2.
  peer.send(frame(FrameType.windowUpdate, 0, 1, uint32(2)));
  await peer.synchronised();
  assert.equal(peer.received(1), 2);
  peer.send(settings([4, 3])); // One octet more than granted: 3 of its own, 2 granted, 2 sent.
  await peer.until(() => peer.received(1) === 5);
  peer.send(frame(FrameType.windowUpdate, 0, 1, uint32(100)));
  await peer.until(() => peer.received(1) === 6);
});

test("streams that wait for the connection's window are served in turns", async () => {
  const { peer, socket } = await rawServer([4, 10_000_000]);
  using one = await client(socket);
  const both = [one.open(false), one.open(false)];
  for (const { stream } of both) stream?.sendData(Buffer.alloc(200_000), true);
  await peer.until(() => peer.received(1) + peer.received(3) === 65_535);
  peer.send(frame(FrameType.windowUpdate, 0, 0, uint32(131_072)));
  await peer.until(() => peer.received(1) + peer.received(3) === 65_535 + 131_072);
  assert.ok(Math.abs(peer.received(1) - peer.received(3)) < 66_000, `${peer.received(1)} and ${peer.received(3)}`);
});

test("data that could not be sent at once is reported once when it is sent", async () => {
  const { peer, socket } = await rawServer([4, 10]);
  using one = await client(socket);
  const exchange = one.open(false);
  assert.equal(exchange.stream?.sendData(Buffer.alloc(25), false), false);
  assert.throws(() => exchange.stream?.sendData(Buffer.alloc(1), false), /onDrain/);
  peer.send(frame(FrameType.windowUpdate, 0, 1, uint32(10)));
  await peer.until(() => peer.received(1) === 20);
  assert.equal(exchange.drains, 0);
  peer.send(frame(FrameType.windowUpdate, 0, 1, uint32(10)));
  await peer.until(() => peer.received(1) === 25);
  assert.equal(exchange.drains, 1);
  assert.equal(exchange.stream?.sendData(Buffer.alloc(5), true), true);
});

/** Serves one connection, and calls `begin` with each stream. */
async function serverOf(begin: (stream: Http2Stream, connection: Connection) => void) {
  const listener = createListener((socket) => {
    const connection: Connection = new Connection(socket, "server", {
      onStream(stream) {
        begin(stream, connection);
        return new Recorder();
      },
    });
    listener.close();
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return (listener.address() as AddressInfo).port;
}

test("data that waits for a full socket continues when the peer reads again", { timeout: 20_000 }, async () => {
  const size = 32 * 1024 * 1024; // More than the buffers of both sides hold.
  const port = await serverOf((stream) => {
    stream.sendHeaders([new HeaderField(":status", "200")], false);
    stream.sendData(Buffer.alloc(size), true);
  });
  using peer = await RawPeer.of(port, [4, size]);
  peer.send(frame(FrameType.windowUpdate, 0, 0, uint32(size)), request(1));
  await peer.frame(FrameType.data, 1);
  peer.socket.pause();
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(peer.received(1) < size);
  peer.socket.resume();
  await peer.until(() => peer.received(1) === size);
});

test("a handler that closes its connection gets no more events, not even from the same read", async () => {
  const begun: number[] = [];
  const port = await serverOf((stream, connection) => {
    begun.push(stream.id);
    connection.destroy();
  });
  using peer = await RawPeer.of(port);
  peer.send(request(1), request(3));
  await peer.until(() => peer.isClosed);
  assert.deepEqual(begun, [1]);
});

test("a draining server sends GOAWAY twice, serves requests in between, and closes after the last", async () => {
  const accepted: Http2Stream[] = [];
  const listener = createListener((socket) => {
    const connection = new Connection(socket, "server", {
      onStream(stream) {
        accepted.push(stream);
        return new Recorder();
      },
    });
    listener.once("drain", () => connection.drain());
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  using peer = await RawPeer.of((listener.address() as AddressInfo).port);
  peer.send(request(1));
  await peer.synchronised();
  listener.emit("drain");
  const first = await peer.frame(FrameType.goAway);
  assert.equal(first.payload.readUInt32BE(), maxStreamId);
  const ping = await peer.until(() => peer.frames.find(({ type, flags }) => type === FrameType.ping && flags === 0));
  const refused = [request(5, false), frame(FrameType.data, Flag.endStream, 5, Buffer.from("x"))];
  peer.send(request(3), frame(FrameType.ping, Flag.ack, 0, ping.payload), ...refused);
  const second = await peer.until(() => peer.frames.filter(({ type }) => type === FrameType.goAway)[1]);
  assert.equal(second.payload.readUInt32BE(), 3);
  assert.equal(accepted.length, 2);
  for (const stream of accepted) stream.sendHeaders([new HeaderField(":status", "204")], true);
  await peer.until(() => peer.isClosed || undefined).catch(() => {});
  assert.ok(peer.frames.some(({ type, streamId }) => type === FrameType.headers && streamId === 3));
  assert.ok(!peer.frames.some(({ streamId }) => streamId === 5));
  listener.close();
});

test("streams above the last of a GOAWAY end as unprocessed, and those below go on", async () => {
  const { peer, socket } = await rawServer();
  let gone = 0;
  using one = await client(socket, {}, { onGoAway: () => gone++ });
  const [first, second] = [one.open(), one.open()];
  await peer.frame(FrameType.headers, 3);
  peer.send(frame(FrameType.goAway, 0, 0, Buffer.concat([uint32(1), uint32(0)])));
  const error = await second.ended;
  assert.deepEqual([error?.isUnprocessed, error?.origin, gone], [true, "connection", 1]);
  assert.ok(!one.connection.isOpen);
  peer.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 1, block([":status", "200"])));
  assert.equal(await first.ended, undefined);
  assert.equal(await one.closed, undefined, "it hangs up when the last has ended");
});

test("a refused stream is unprocessed, and one reset with another code may have been processed", async () => {
  const { peer, socket } = await rawServer();
  using one = await client(socket);
  const [refused, reset] = [one.open(), one.open()];
  peer.send(frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.refusedStream)));
  peer.send(frame(FrameType.rstStream, 0, 3, uint32(ErrorCode.internalError)));
  assert.equal((await refused.ended)?.isUnprocessed, true);
  assert.equal((await reset.ended)?.isUnprocessed, false);
});

/** A flood that fits a window of 64 KiB, and exceeds the budget for empty frames. */
const late = Array.from({ length: 5_000 }, () => frame(FrameType.data, 0, 1, Buffer.from("x")));

test("a client that resets a fast stream keeps its connection: frames in flight are dropped", {
  timeout: 20_000,
}, async () => {
  const { peer, socket } = await rawServer();
  using one = await client(socket);
  const [left, kept] = [one.open(), one.open()];
  await peer.frame(FrameType.headers, 3);
  left.stream?.reset(ErrorCode.cancel);
  peer.send(frame(FrameType.headers, Flag.endHeaders, 1, block([":status", "200"])), ...late);
  await peer.synchronised();
  peer.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 3, block([":status", "200"])));
  assert.equal(await kept.ended, undefined);
});

test("a server that answers a fast request early keeps its connection", {
  timeout: 20_000,
}, async () => {
  const port = await serverOf((stream) => stream.sendHeaders([new HeaderField(":status", "204")], true));
  using peer = await RawPeer.of(port);
  peer.send(request(1, false));
  await peer.frame(FrameType.rstStream, 1);
  peer.send(...late);
  await peer.synchronised();
});

test("frames for a stream that was reset long ago are late and no error, on either side", {
  timeout: 20_000,
}, async () => {
  const { peer, socket } = await rawServer();
  using one = await client(socket);
  one.open().stream?.reset(ErrorCode.cancel);
  const answer = (id: number) =>
    frame(FrameType.headers, Flag.endHeaders | Flag.endStream, id, block([":status", "200"]));
  // More than are remembered, which is one round trip at thousands of calls a second.
  for (let count = 0; count < 600; count++) {
    const next = one.open();
    peer.send(answer(next.stream?.id ?? 0));
    assert.equal(await next.ended, undefined);
  }
  peer.send(answer(1));
  await peer.synchronised();

  const port = await serverOf((stream) => stream.sendHeaders([new HeaderField(":status", "204")], true));
  using other = await RawPeer.of(port);
  other.send(request(1, false));
  await other.frame(FrameType.rstStream, 1);
  for (let id = 3; id < 1_203; id += 2) other.send(request(id));
  other.send(frame(FrameType.data, 0, 1, Buffer.from("late")));
  await other.synchronised();
});

test("a lost connection ends its streams with the reason", async () => {
  const { peer, socket } = await rawServer();
  using one = await client(socket);
  const exchange = one.open();
  await peer.frame(FrameType.headers, 1);
  peer.socket.resetAndDestroy();
  assert.equal((await exchange.ended)?.origin, "connection");
  assert.match(String(await one.closed), /ECONNRESET/);
});

test("a client opens as many streams as the server allows, and is notified of free capacity", async () => {
  const { peer, socket } = await rawServer([3, 1]);
  let closed = 0;
  using one = await client(socket, {}, { onStreamClosed: () => closed++ });
  const first = one.open();
  assert.equal(one.connection.hasRoom, false);
  assert.throws(() => one.open(), /no room/);
  peer.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 1, block([":status", "200"])));
  await first.ended;
  assert.deepEqual([one.connection.hasRoom, closed], [true, 1]);
});

test("a silent peer is pinged, and disconnected if it does not answer", async () => {
  const { peer, socket } = await rawServer();
  using one = await client(socket, { keepalive: { intervalMs: 20, timeoutMs: 20 } });
  const exchange = one.open();
  await peer.frame(FrameType.ping);
  assert.equal((await exchange.ended)?.origin, "connection");
  assert.match(String(await one.closed), /does not answer/);
});

const isPing = ({ type, flags }: Frame): boolean => type === FrameType.ping && (flags & Flag.ack) === 0;

test("a peer that answers is pinged again after the interval, not after the timeout", {
  timeout: 5_000,
}, async () => {
  const { peer, socket } = await rawServer();
  using one = await client(socket, { keepalive: { intervalMs: 5, timeoutMs: 60_000 } });
  one.open();
  for (let asked = 0; asked < 3; asked++) {
    const { payload } = await peer.until(() => peer.frames.filter(isPing)[asked]);
    peer.send(frame(FrameType.ping, Flag.ack, 0, payload));
  }
});

test("a ping that is due while no call runs is sent with the next call", async () => {
  const { peer, socket } = await rawServer();
  using one = await client(socket, { keepalive: { intervalMs: 20, timeoutMs: 20 } });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(peer.frames.some(isPing), false, "none while idle");
  const exchange = one.open();
  exchange.stream?.reset(ErrorCode.cancel);
  await peer.frame(FrameType.ping);
  assert.match(String(await one.closed), /does not answer/);
});

test("a peer that keeps sending but does not answer pings is disconnected", {
  timeout: 10_000,
}, async () => {
  const { peer, socket } = await rawServer();
  using one = await client(socket, { keepalive: { intervalMs: 20, timeoutMs: 50 } });
  one.open();
  const sending = setInterval(() => peer.send(frame(FrameType.ping, 0, 0, Buffer.alloc(8))), 5);
  try {
    assert.match(String(await one.closed), /does not answer/);
  } finally {
    clearInterval(sending);
  }
});

test("a silent peer that answers pings stays connected", async () => {
  await using server = await startEcho();
  using one = await client(dial({ host: "127.0.0.1", port: server.port }), {
    keepalive: { intervalMs: 5, timeoutMs: 2_000 },
  });
  one.open(false);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(one.connection.isOpen);
});

test("a peer that never sends its settings is disconnected", async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  using one = await client(connect((listener.address() as AddressInfo).port), { handshakeTimeoutMs: 30 });
  assert.match(String(await one.closed), /no settings/);
  listener.close();
});

test("a field that HTTP/2 cannot carry is rejected before anything is sent", async () => {
  await using server = await startEcho();
  using one = await client(dial({ host: "127.0.0.1", port: server.port }));
  for (const [name, value] of [
    ["Upper", "x"],
    ["x", "a\r\nb: c"],
    ["x", "\u010a"],
    ["connection", "close"],
  ] as const) {
    const fields = [...get, new HeaderField(name, value)];
    assert.throws(() => one.connection.open(fields, true, new Recorder()), TypeError);
  }
  assert.equal(one.connection.size, 0);
});

test("when the stream numbers are used up, the connection opens no more and closes after the last", async () => {
  await using server = await startEcho();
  let gone = 0;
  const socket = dial({ host: "127.0.0.1", port: server.port });
  using one = await client(socket, { firstStreamId: maxStreamId - 2 }, { onGoAway: () => gone++ });
  const [first, last] = [one.open(), one.open()];
  assert.deepEqual([one.connection.isOpen, gone], [false, 1]);
  assert.equal(await first.ended, undefined);
  assert.equal(await last.ended, undefined);
  assert.equal(await one.closed, undefined);
});

test("unconsumed octets return to the connection's window when their stream ends", { timeout: 10_000 }, async () => {
  await using server = await startEcho();
  const windows = { streamWindow: 65_535, connectionWindow: 100_000 };
  using one = await client(dial({ host: "127.0.0.1", port: server.port }), windows);
  for (let count = 0; count < 5; count++) {
    const exchange = one.open(false);
    exchange.consumes = false;
    exchange.stream?.sendData(Buffer.alloc(60_000), true);
    assert.equal(await exchange.ended, undefined);
  }
});
