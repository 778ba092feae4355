import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { Decoder } from "./decoder.ts";
import { Encoder } from "./encoder.ts";
import { HpackError } from "./error.ts";
import { HeaderField } from "./field.ts";
import { decodeHuffman, huffmanLength, writeHuffman } from "./huffman.ts";
import { readInteger, writeInteger } from "./integer.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ""), "hex");
const pairs = (fields: readonly HeaderField[] | undefined) => fields?.map(({ name, value }) => [name, value]);
const decode = (decoder: Decoder, block: Buffer, max = 65_536) => pairs(decoder.decode(block, 0, block.length, max));
const fieldsOf = (...list: [string, string][]) =>
  list.map(([name, value]) => new HeaderField(name, value, { repeats: true }));

function encode(encoder: Encoder, fields: readonly HeaderField[]): Buffer {
  const block = Buffer.alloc(Encoder.bound(fields));
  return block.subarray(0, encoder.write(block, 0, fields));
}

describe("RFC 7541, C.1: integers", () => {
  for (const { value, bits, want } of [
    { value: 10, bits: 5, want: "0a" },
    { value: 1_337, bits: 5, want: "1f9a0a" },
    { value: 42, bits: 8, want: "2a" },
  ]) {
    test(`${value} with a prefix of ${bits} bits`, () => {
      const bytes = Buffer.alloc(8);
      const end = writeInteger(bytes, 0, 0, bits, value);
      assert.equal(bytes.toString("hex", 0, end), want);
      assert.equal(readInteger({ bytes, at: 0, end }, bits), value);
    });
  }

  test("an unending integer, or one larger than any length, is rejected", () => {
    for (const text of ["1f", "1fffffffffffff7f", "1f80808080808080"]) {
      const bytes = hex(text);
      assert.throws(() => readInteger({ bytes, at: 0, end: bytes.length }, 5), HpackError);
    }
  });
});

describe("RFC 7541, C.2: single fields", () => {
  for (const { name, block, want } of [
    {
      name: "literal with indexing",
      block: "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
      want: ["custom-key", "custom-header"],
    },
    { name: "literal without indexing", block: "040c2f73616d706c652f70617468", want: [":path", "/sample/path"] },
    { name: "literal never indexed", block: "100870617373776f726406736563726574", want: ["password", "secret"] },
    { name: "indexed", block: "82", want: [":method", "GET"] },
  ]) {
    test(name, () => assert.deepEqual(decode(new Decoder(), hex(block)), [want]));
  }
});

const requests: readonly [string, string][][] = [
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ],
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
    ["cache-control", "no-cache"],
  ],
  [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ],
];
const date1 = "Mon, 21 Oct 2013 20:13:21 GMT";
const date2 = "Mon, 21 Oct 2013 20:13:22 GMT";
const location = "https://www.example.com";
const responses: readonly [string, string][][] = [
  [
    [":status", "302"],
    ["cache-control", "private"],
    ["date", date1],
    ["location", location],
  ],
  [
    [":status", "307"],
    ["cache-control", "private"],
    ["date", date1],
    ["location", location],
  ],
  [
    [":status", "200"],
    ["cache-control", "private"],
    ["date", date2],
    ["location", location],
    ["content-encoding", "gzip"],
    ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ],
];

describe("RFC 7541, C.3 to C.6: blocks of one connection", () => {
  for (const { name, tableSize, blocks, want } of [
    {
      name: "C.3: requests",
      tableSize: 4_096,
      blocks: [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
      ],
      want: requests,
    },
    {
      name: "C.4: requests, with Huffman coding",
      tableSize: 4_096,
      blocks: [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
      ],
      want: requests,
    },
    {
      name: "C.5: responses, with a table of 256 octets that evicts",
      tableSize: 256,
      blocks: [
        `4803333032580770726976617465611d${Buffer.from(date1).toString("hex")}6e17${Buffer.from(location).toString("hex")}`,
        "4803333037c1c0bf",
        `88c1611d${Buffer.from(date2).toString("hex")}c05a04677a69707738${Buffer.from("foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1").toString("hex")}`,
      ],
      want: responses,
    },
    {
      name: "C.6: responses, with Huffman coding and eviction",
      tableSize: 256,
      blocks: [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
      ],
      want: responses,
    },
  ]) {
    test(name, () => {
      const decoder = new Decoder(tableSize);
      assert.deepEqual(
        blocks.map((block) => decode(decoder, hex(block))),
        want,
      );
    });

    test(`${name}: the decoder reads our encoder's output`, () => {
      const encoder = new Encoder(tableSize);
      const decoder = new Decoder(tableSize);
      assert.deepEqual(
        want.map((list) => decode(decoder, encode(encoder, fieldsOf(...list)))),
        want,
      );
    });
  }
});

test("Huffman coding matches the RFC's examples", () => {
  for (const { text, want } of [
    { text: "www.example.com", want: "f1e3c2e5f23a6ba0ab90f4ff" },
    { text: "no-cache", want: "a8eb10649cbf" },
    { text: date1, want: "d07abe941054d444a8200595040b8166e082a62d1bff" },
  ]) {
    const bytes = Buffer.alloc(64);
    assert.equal(bytes.toString("hex", 0, writeHuffman(bytes, 0, text)), want);
    assert.equal(huffmanLength(text), want.length / 2);
  }
});

test("every octet survives Huffman coding", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      const text = Buffer.from(octets).toString("latin1");
      const coded = Buffer.alloc(huffmanLength(text));
      assert.equal(writeHuffman(coded, 0, text), coded.length);
      const back = Buffer.alloc(Math.ceil(coded.length * 1.6));
      assert.equal(back.toString("latin1", 0, decodeHuffman(coded, 0, coded.length, back)), text);
    }),
  );
});

for (const { name, coded } of [
  { name: "the end-of-string code within a string", coded: "ffffffff" },
  { name: "padding of more than seven bits", coded: "1fff" },
  { name: "padding with zeros", coded: "18" },
]) {
  test(`${name} is rejected`, () =>
    assert.throws(() => decodeHuffman(hex(coded), 0, coded.length / 2, Buffer.alloc(16)), HpackError));
}

test("a repeating field takes one octet from its second use on, and others stay out of the table", () => {
  const encoder = new Encoder();
  const repeated = fieldsOf(["content-type", "application/grpc"]);
  assert.ok(encode(encoder, repeated).length > 10);
  assert.equal(encode(encoder, repeated).length, 1);
  const secret = [new HeaderField("authorization", "Bearer of a secret")];
  assert.equal(encode(encoder, secret).length, encode(encoder, secret).length);
});

test("any header lists survive the round trip, with indexing, evictions and resizes between them", () => {
  const name = fc.constantFrom(":path", "x-a", "x-b", "cookie", "date", "content-type");
  const value = fc.oneof(
    fc.constantFrom("", "a", "application/grpc"),
    fc.string({ unit: "grapheme-ascii", maxLength: 90 }),
  );
  const field = fc
    .record({ name, value, repeats: fc.boolean() })
    .map(({ name, value, repeats }) => new HeaderField(name, value, { repeats }));
  const step = fc.oneof(fc.array(field, { maxLength: 12 }), fc.integer({ min: 0, max: 300 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const encoder = new Encoder(256);
      const decoder = new Decoder(256);
      for (const step of steps) {
        if (typeof step === "number") encoder.resize(step);
        else assert.deepEqual(decode(decoder, encode(encoder, step)), pairs(step));
      }
    }),
  );
});

test("a small block that names a large entry often is counted, and its fields are not kept", () => {
  const decoder = new Decoder();
  const large = encode(new Encoder(), fieldsOf(["x", "y".repeat(3_000)]));
  assert.equal(decode(decoder, large)?.length, 1);
  assert.equal(decode(decoder, Buffer.alloc(60_000, 0xbe)), undefined);
  assert.deepEqual(decode(decoder, hex("82")), [[":method", "GET"]], "the table is still right");
});

for (const { name, block } of [
  { name: "index 0", block: "80" },
  { name: "an index past the tables", block: "be" },
  { name: "a table larger than was allowed", block: "3fe21f" },
  { name: "a resize after a field", block: "8220" },
  { name: "a string longer than its block", block: "00057879" },
  { name: "a block that ends before a value", block: "000178" },
]) {
  test(`${name} is rejected`, () => assert.throws(() => decode(new Decoder(), hex(block)), HpackError));
}

test("any octets are decoded or rejected, and no list exceeds the bound", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (blocks) => {
      const decoder = new Decoder();
      try {
        for (const block of blocks) {
          const fields = decoder.decode(Buffer.from(block), 0, block.length, 500);
          assert.ok((fields ?? []).reduce((sum, { size }) => sum + size, 0) <= 500);
        }
      } catch (error) {
        assert.ok(error instanceof HpackError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("after several resizes between two blocks, the smallest and the last are announced", () => {
  const encoder = new Encoder();
  for (const size of [100, 0, 50, 80]) encoder.resize(size);
  assert.equal(encode(encoder, []).toString("hex"), "203f31");
  assert.equal(encode(encoder, []).length, 0);
});
