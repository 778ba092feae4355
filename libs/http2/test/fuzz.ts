/**
 * Peers that send anything. A connection answers in frames, ends in order or by a GOAWAY, has a
 * bounded number of streams, and never throws into the socket. Many frames are made to pass the
 * first checks.
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import * as fc from "fast-check";
import { FrameReader } from "../src/frames/reader.ts";
import { Flag, FrameType, preface } from "../src/frames/types.ts";
import { Connection, HeaderField, type Http2Stream, type StreamHandler } from "../src/index.ts";
import { block, frame, settings } from "./raw-peer.ts";

const status = new HeaderField(":status", "200");
const get = [
  new HeaderField(":method", "GET"),
  new HeaderField(":scheme", "http"),
  new HeaderField(":path", "/", { repeats: true }),
];
const maxStreams = 20;

/** A socket without a network: sent octets are collected, received ones are pushed by hand. */
class FakeSocket extends Duplex {
  readonly sent: Buffer[] = [];

  setNoDelay(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.sent.push(chunk);
    done();
  }
}

/** A handler that answers everything, resets some streams, and at times forgets to consume. */
class Careless implements StreamHandler {
  #stream: Http2Stream | undefined;

  use(stream: Http2Stream, isLast: boolean): this {
    this.#stream = stream;
    if (isLast) this.#answer();
    return this;
  }

  onHeaders(): void {}

  onData(bytes: Buffer, isLast: boolean): void {
    if (bytes[0] === 0xff) return this.#stream?.reset(8);
    if (bytes[0] !== 0xfe) this.#stream?.consume(bytes.length);
    if (isLast) this.#answer();
  }

  onTrailers(): void {
    this.#answer();
  }

  onReset(): void {}

  onDrain(): void {}

  #answer(): void {
    this.#stream?.sendHeaders([status], false);
    this.#stream?.sendData(Buffer.alloc(40_000), false);
    this.#stream?.sendHeaders([new HeaderField("grpc-status", "0", { repeats: true })], true);
  }
}

export type Role = "server" | "client";

/** Passes `chunks` to a connection. Throws if it handles them wrongly. */
export async function attack(role: Role, chunks: readonly Buffer[]): Promise<void> {
  const socket = new FakeSocket({ allowHalfOpen: false }); // Sockets have this too.
  let failure: unknown;
  socket.on("error", (error) => (failure = error));
  const ending = { isOver: false };
  const connection = new Connection(
    socket as unknown as Socket,
    role,
    {
      onStream: (stream, _fields, isLast) => new Careless().use(stream, isLast),
      onSettings() {
        if (role === "server") return;
        for (let count = 0; connection.hasRoom && count < 3; count++) {
          const handler = new Careless();
          handler.use(connection.open(get, count === 1, handler), false);
        }
      },
      onClose(reason) {
        ending.isOver = true;
        failure ??=
          reason?.cause instanceof Error && reason.message.includes("a handler of") ? reason.cause : undefined;
      },
    },
    { maxConcurrentStreams: maxStreams, streamWindow: 65_535 },
  );
  await new Promise((resolve) => setImmediate(resolve));
  for (const chunk of chunks) {
    socket.push(chunk);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(connection.size <= Math.max(maxStreams, 3), `${connection.size} streams`);
  }
  socket.push(null);
  for (let turn = 0; turn < 20 && !ending.isOver; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(ending.isOver, "it goes on when its peer has gone");
  assert.equal(failure, undefined);
  assert.equal(connection.size, 0);

  let lastFrame = -1;
  let octets = 0;
  const reader = new FrameReader(2 ** 24, (type, _flags, _id, _bytes, start, end) => {
    lastFrame = type;
    octets += end - start;
  });
  const all = Buffer.concat(socket.sent);
  reader.push(role === "client" ? all.subarray(preface.length) : all);
  assert.notEqual(lastFrame, -1, "it says its settings");
  const received = chunks.reduce((sum, { length }) => sum + length, 0);
  assert.ok(octets < 100_000 + received * 40_000, `${octets} octets for ${received}`);
}

const byte = fc.nat(255);
const id = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 9 }) }, fc.nat(2 ** 31 - 1));
const flags = fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d), byte);
const blocks = fc.oneof(
  fc.constantFrom(
    block([":method", "GET"], [":scheme", "http"], [":path", "/"]),
    block([":method", "POST"], [":scheme", "http"], [":path", "/x"], ["content-length", "3"]),
    block([":status", "200"]),
    block([":status", "103"]),
    block(["grpc-status", "0"]),
    Buffer.from("3fe11f82868441", "hex"),
  ),
  fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)),
);
const payload = fc.oneof(
  blocks,
  fc.uint8Array({ maxLength: 24 }).map((octets) => Buffer.from(octets)),
);
const setting = fc.tuple(fc.integer({ min: 0, max: 8 }), fc.oneof(fc.nat(20), fc.nat(70_000), fc.nat(0xffff_ffff)));

const frames = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 10 }), flags, id, payload).map((parts) => frame(...parts)),
  },
  // A complete request, and what may follow it.
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 3, 5, 7, 9, 11), fc.constantFrom(4, 5), blocks)
      .map(([id, flags, payload]) => frame(FrameType.headers, flags, id, payload)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 3, 5, 7), fc.constantFrom(0, 1), fc.nat(16_384), byte)
      .map(([id, flags, length, fill]) => frame(FrameType.data, flags, id, Buffer.alloc(length, fill))),
  },
  { weight: 2, arbitrary: fc.array(setting, { maxLength: 4 }).map((pairs) => settings(...pairs)) },
  { weight: 1, arbitrary: fc.constant(frame(FrameType.settings, Flag.ack, 0)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((octets) => Buffer.from(octets)) },
);

/**
 * Generates sequences of frames after a valid beginning, cut into chunks anywhere, with a few
 * octets changed.
 */
export const sessions = (role: Role): fc.Arbitrary<Buffer[]> =>
  fc
    .record({
      begin: fc.oneof({ weight: 9, arbitrary: fc.constant(settings()) }, fc.constant(Buffer.alloc(0))),
      frames: fc.array(frames, { maxLength: 25 }),
      flips: fc.array(fc.tuple(fc.nat(), byte), { maxLength: 3 }),
      cuts: fc.array(fc.nat(), { maxLength: 6 }),
    })
    .map(({ begin, frames, flips, cuts }) => {
      const bytes = Buffer.concat([...(role === "server" ? [preface] : []), begin, ...frames]);
      const firstFlip = preface.length + 9;
      for (const [at, value] of flips)
        if (bytes.length > firstFlip) bytes[firstFlip + (at % (bytes.length - firstFlip))] = value;
      const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      return at
        .slice(1)
        .map((end, index) => bytes.subarray(at[index], end))
        .filter(({ length }) => length > 0);
    });

export const roles: readonly Role[] = ["server", "client"];
