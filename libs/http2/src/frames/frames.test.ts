import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ConnectionError } from "../error-code.ts";
import { Decoder } from "../hpack/decoder.ts";
import { Encoder } from "../hpack/encoder.ts";
import { HeaderField } from "../hpack/field.ts";
import { FrameReader } from "./reader.ts";
import { Flag, FrameType } from "./types.ts";
import { FrameWriter } from "./writer.ts";

type Frame = [type: number, flags: number, streamId: number, payload: string];

function read(chunks: readonly Buffer[], maxFrameSize = 16_384): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader(maxFrameSize, (type, flags, id, bytes, start, end) => {
    frames.push([type, flags, id, bytes.toString("hex", start, end)]);
  });
  for (const chunk of chunks) reader.push(chunk);
  return frames;
}

function written(write: (writer: FrameWriter) => void): Buffer {
  const chunks: Buffer[] = [];
  const writer = new FrameWriter(new Encoder(), (bytes) => chunks.push(Buffer.from(bytes)));
  write(writer);
  writer.flush();
  return Buffer.concat(chunks);
}

function everyType(writer: FrameWriter): void {
  writer.settings(Buffer.from("000300000064", "hex"));
  writer.settingsAck();
  writer.headers(1, [new HeaderField(":method", "POST")], false, 16_384);
  writer.data(1, Buffer.from("0000000003", "hex"), Buffer.from("abc"), 0, 3, true);
  writer.data(1, undefined, Buffer.alloc(100, 7), 10, 90, false);
  writer.rstStream(3, 8);
  writer.ping(Buffer.from("12345678"), true);
  writer.windowUpdate(0, 1_000);
  writer.goAway(5, 11, Buffer.from("calm"));
}

const want: Frame[] = [
  [FrameType.settings, 0, 0, "000300000064"],
  [FrameType.settings, Flag.ack, 0, ""],
  [FrameType.headers, Flag.endHeaders, 1, "83"],
  [FrameType.data, Flag.endStream, 1, "0000000003616263"],
  [FrameType.data, 0, 1, "07".repeat(80)],
  [FrameType.rstStream, 0, 3, "00000008"],
  [FrameType.ping, Flag.ack, 0, Buffer.from("12345678").toString("hex")],
  [FrameType.windowUpdate, 0, 0, "000003e8"],
  [FrameType.goAway, 0, 0, `000000050000000b${Buffer.from("calm").toString("hex")}`],
];

test("frames are read as they were written", () => assert.deepEqual(read([written(everyType)]), want));

test("frames are the same wherever the octets are cut into chunks", () => {
  const bytes = written(everyType);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      assert.deepEqual(read(at.slice(1).map((end, index) => bytes.subarray(at[index], end))), want);
    }),
  );
  assert.deepEqual(read(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))), want);
});

test("the reserved bit of a stream's number is ignored", () => {
  assert.deepEqual(read([Buffer.from("000000000080000001", "hex")]), [[0, 0, 1, ""]]);
});

test("a frame above the bound is rejected by its header, before its payload arrives", () => {
  const header = Buffer.from("004001000000000001", "hex");
  assert.throws(() => read([header]), ConnectionError);
  assert.throws(() => read([header.subarray(0, 5), header.subarray(5)]), ConnectionError);
});

test("a header block larger than the peer's frames continues in CONTINUATION", () => {
  const fields = [new HeaderField("x", "\u00ff".repeat(40_000))];
  const frames = read([written((writer) => writer.headers(1, fields, true, 16_384))]);
  assert.deepEqual(
    frames.map(([type, flags]) => [type, flags]),
    [
      [FrameType.headers, Flag.endStream],
      [FrameType.continuation, 0],
      [FrameType.continuation, Flag.endHeaders],
    ],
  );
  const block = Buffer.from(frames.map(([, , , payload]) => payload).join(""), "hex");
  assert.equal(new Decoder().decode(block, 0, block.length, 1e6)?.[0]?.value.length, 40_000);
});

test("all frames of one turn leave in one write, and a full slab leaves at once", async () => {
  const chunks: number[] = [];
  const writer = new FrameWriter(new Encoder(), (bytes) => chunks.push(bytes.length));
  for (let count = 0; count < 10; count++) writer.windowUpdate(1, 1);
  assert.deepEqual(chunks, []);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(chunks, [130]);
  for (let count = 0; count < 20; count++) writer.data(1, undefined, Buffer.alloc(16_384), 0, 16_384, false);
  assert.equal(chunks.length > 4, true);
});
