/**
 * Tests of attacks that a connection survives, and that honest peers are never treated as
 * attackers.
 */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Flag, FrameType } from "../src/frames/types.ts";
import {
  Connection,
  createListener,
  ErrorCode,
  HeaderField,
  type Http2Stream,
  Peers,
  type StreamHandler,
} from "../src/index.ts";
import { startEcho } from "./programs/echo-server.ts";
import { block, frame, getBlock, RawPeer, request, settings, uint32 } from "./raw-peer.ts";

const { enhanceYourCalm } = ErrorCode;

for (const { name, flood } of [
  {
    name: "a rapid reset: streams begun and reset at once",
    flood: (index: number) => [
      request(index * 2 + 1),
      frame(FrameType.rstStream, 0, index * 2 + 1, uint32(ErrorCode.cancel)),
    ],
  },
  {
    name: "streams that provoke a reset each",
    flood: (index: number) => [
      request(index * 2 + 1, false),
      frame(FrameType.windowUpdate, 0, index * 2 + 1, uint32(0)),
    ],
  },
  { name: "pings", flood: () => [frame(FrameType.ping, 0, 0, Buffer.alloc(8))] },
  { name: "settings", flood: () => [settings([4, 65_535])] },
  { name: "acknowledgements of settings that were never sent", flood: () => [frame(FrameType.settings, Flag.ack, 0)] },
  {
    name: "empty DATA",
    flood: (index: number) => (index === 0 ? [request(1, false)] : [frame(FrameType.data, 0, 1)]),
  },
  {
    name: "empty DATA on a stream that was reset",
    flood: (index: number) =>
      index === 0 ? [request(1, false), frame(FrameType.windowUpdate, 0, 1, uint32(0))] : [frame(FrameType.data, 0, 1)],
  },
  { name: "priorities", flood: () => [frame(FrameType.priority, 0, 1, Buffer.from("0000000310", "hex"))] },
  { name: "window updates of one octet", flood: () => [frame(FrameType.windowUpdate, 0, 0, uint32(1))] },
  { name: "frames of unknown types", flood: () => [frame(0xfa, 0, 0)] },
]) {
  test(`a flood of ${name} ends the connection`, { timeout: 20_000 }, async () => {
    await using server = await startEcho();
    using peer = await RawPeer.of(server.port);
    for (let index = 0; index < 20_000 && !peer.isClosed; index++) {
      peer.send(...flood(index));
      if (index % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await peer.goneWith(), enhanceYourCalm);
  });
}

for (const perPeer of [false, true]) {
  test(`requests answered before their end, which is a reset of ours, end ${perPeer ? "all connections of their address" : "the connection"}`, {
    timeout: 20_000,
  }, async () => {
    const peers = new Peers();
    const sockets = new DisposableStack();
    const server = createListener((socket) => {
      const onStream = (stream: Http2Stream): StreamHandler => {
        stream.sendHeaders([new HeaderField(":status", "404")], true);
        return { onHeaders() {}, onData() {}, onTrailers() {}, onReset() {}, onDrain() {} };
      };
      const connection = new Connection(socket, "server", { onStream }, { peers });
      sockets.defer(() => connection.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    sockets.defer(() => server.close());
    using _ = sockets;
    const { port } = server.address() as AddressInfo;
    // No connection alone does enough to be ended.
    let ended: number | undefined;
    for (let round = 0; round < 40 && ended === undefined; round++) {
      using peer = await RawPeer.of(port);
      for (let index = 0; index < (perPeer ? 200 : 5_000) && !peer.isClosed; index++) {
        peer.send(request(index * 2 + 1, false));
        if (index % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
      }
      if (
        peer.isClosed ||
        !(await peer.synchronised().then(
          () => true,
          () => false,
        ))
      )
        ended = await peer.goneWith();
      if (!perPeer) break;
    }
    assert.equal(ended, enhanceYourCalm);
  });
}

test("a trusted peer that floods with resets keeps its connection, and is read at the rate of its budget", {
  timeout: 60_000,
}, async () => {
  const peers = new Peers({ peerOf: (key) => ({ key, trusted: true }) });
  const sockets = new DisposableStack();
  using _ = sockets;
  let begun = 0;
  let reached = (): void => {};
  const server = createListener((socket) => {
    const onStream = (): StreamHandler => {
      begun++;
      if (begun === 14_000) reached();
      return { onHeaders() {}, onData() {}, onTrailers() {}, onReset() {}, onDrain() {} };
    };
    const connection = new Connection(socket, "server", { onStream }, { peers });
    sockets.defer(() => connection.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  sockets.defer(() => server.close());
  using peer = await RawPeer.of((server.address() as AddressInfo).port);
  const began = performance.now();
  const done = new Promise<void>((resolve) => (reached = resolve));
  for (let index = 0; index < 20_000; index++) {
    const id = index * 2 + 1;
    peer.send(Buffer.concat([request(id), frame(FrameType.rstStream, 0, id, uint32(ErrorCode.cancel))]));
  }
  await done;
  const tookMs = performance.now() - began;
  // 4,000 beyond the burst, at 1,000 a second. The last read may have brought 2,500 of them.
  assert.ok(tookMs >= 1_500, `${tookMs} ms`);
  assert.equal(peer.isClosed, false);
});

for (const { name, part } of [
  { name: "without an end", part: Buffer.alloc(16_384, 0x82) },
  { name: "of empty frames", part: Buffer.alloc(0) },
]) {
  test(`a flood of CONTINUATION ${name} ends the connection`, { timeout: 20_000 }, async () => {
    await using server = await startEcho();
    using peer = await RawPeer.of(server.port);
    peer.send(frame(FrameType.headers, 0, 1, getBlock));
    for (let count = 0; count < 100; count++) peer.send(frame(FrameType.continuation, 0, 1, part));
    assert.equal(await peer.goneWith(), enhanceYourCalm);
  });
}

test("a header list that grows past its bound ends its stream, and the connection goes on", async () => {
  await using server = await startEcho();
  using peer = await RawPeer.of(server.port);
  // A large entry for the table, then its index again and again: each octet stands for three
  // thousand.
  const [entry] = [
    Buffer.concat([Buffer.from("400178", "hex"), Buffer.from("7fb916", "hex"), Buffer.alloc(3_000, 0x79)]),
  ];
  peer.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 1, Buffer.concat([getBlock, entry])));
  await peer.frame(FrameType.data, 1);
  const bomb = Buffer.concat([getBlock, Buffer.alloc(10_000, 0xbe)]);
  peer.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 3, bomb), request(5));
  assert.equal((await peer.frame(FrameType.rstStream, 3)).payload.readUInt32BE(), enhanceYourCalm);
  await peer.frame(FrameType.data, 5);
});

test("a peer that sends requests and reads no responses is cut off", { timeout: 20_000 }, async () => {
  const large = [new HeaderField(":status", "200"), new HeaderField("x", "\u00ff".repeat(8_000))];
  await using server = await startEcho(undefined, large);
  using peer = await RawPeer.of(server.port);
  peer.socket.pause();
  for (let index = 0; index < 5_000 && server.size > 0; index++) {
    peer.send(request(index * 2 + 1));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(server.size, 0);
});

test("an honest peer that cancels one call in ten, and pings while it reads, is never cut off", {
  timeout: 30_000,
}, async () => {
  await using server = await startEcho();
  using peer = await RawPeer.of(server.port);
  for (let index = 0; index < 10_000; index++) {
    const id = index * 2 + 1;
    peer.send(request(id, index % 10 !== 0));
    if (index % 10 === 0) peer.send(frame(FrameType.rstStream, 0, id, uint32(ErrorCode.cancel)));
    if (index % 3 === 0) peer.send(frame(FrameType.ping, 0, 0, Buffer.alloc(8)));
    peer.send(frame(FrameType.windowUpdate, 0, 0, uint32(6)));
    if (index % 100 === 99) await peer.synchronised();
  }
  await peer.synchronised();
  assert.ok(!peer.isClosed);
});

test("octets before the preface, or instead of it, are rejected", async () => {
  await using server = await startEcho();
  for (const text of ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX"]) {
    using peer = await RawPeer.of(server.port);
    const { connect } = await import("node:net");
    using other = new RawPeer(connect({ host: "127.0.0.1", port: server.port }));
    other.send(Buffer.from(text));
    assert.equal(await other.goneWith(), ErrorCode.protocolError);
    await peer.synchronised();
  }
});

test("malformed requests are reset, and never reach the handler", async () => {
  await using server = await startEcho();
  using peer = await RawPeer.of(server.port);
  const whole: [string, string][] = [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
  ];
  for (const [index, extra] of (
    [
      ["connection", "close"],
      ["te", "gzip"],
      ["Upper", "case"],
      ["x", "a\nb"],
      [":path", "/again"],
      [":unknown", ""],
    ] as [string, string][]
  ).entries()) {
    const id = index * 2 + 1;
    peer.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, id, block(...whole, extra)));
    assert.equal((await peer.frame(FrameType.rstStream, id)).payload.readUInt32BE(), ErrorCode.protocolError);
  }
});
