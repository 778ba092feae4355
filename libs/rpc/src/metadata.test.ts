import assert from "node:assert/strict";
import { test } from "node:test";
import { base64Of, Metadata, sentOften } from "./metadata.ts";

test("names are case-insensitive", () => {
  const metadata = new Metadata({ "X-Request-Id": "7" });
  assert.equal(metadata.get("x-request-id"), "7");
  assert.equal(metadata.get("X-REQUEST-ID"), "7");
  assert.ok(metadata.has("X-Request-ID"));
  assert.deepEqual([...metadata], [["x-request-id", "7"]]);
});

test("bytes are not text, and text is not bytes", () => {
  const metadata = new Metadata({ "a-bin": new Uint8Array([1]), b: "text" });
  assert.equal(metadata.get("a-bin"), undefined);
  assert.deepEqual(metadata.getBinary("A-Bin"), new Uint8Array([1]));
  assert.equal(metadata.getBinary("b"), undefined);
  assert.deepEqual(metadata.texts(), { b: "text" });
});

for (const { name, init } of [
  { name: "an empty name", init: { "": "x" } },
  { name: "a pseudo-header", init: { ":path": "/" } },
  { name: "a name of the protocol", init: { "grpc-timeout": "1S" } },
  { name: "a name with spaces", init: { "a b": "x" } },
  { name: "a name that is not ASCII", init: { ü: "x" } },
  { name: "text that is not ASCII", init: { a: "ü" } },
  { name: "a line break", init: { a: "x\r\ny: z" } },
  { name: "text under a name for bytes", init: { "a-bin": "x" } },
  { name: "bytes under a name for text", init: { a: new Uint8Array() } },
] as { name: string; init: Record<string, string> }[]) {
  test(`${name} is rejected`, () => {
    assert.throws(() => new Metadata(init), { code: "invalid_argument" });
  });
}

test("bytes are sent without padding, and those that are sent often are encoded once", () => {
  const all = Uint8Array.from({ length: 8 }, (_, at) => 250 + at);
  for (let length = 0; length < 6; length++) {
    const bytes = all.subarray(2, 2 + length);
    const text = Buffer.from(bytes).toString("base64").replaceAll("=", "");
    assert.equal(base64Of(bytes), text);
    const kept = sentOften(Uint8Array.from(bytes));
    assert.deepEqual([base64Of(kept), kept], [text, Uint8Array.from(bytes)]);
    // A write, which the contract forbids, shows that the text is kept.
    kept.fill(0);
    assert.equal(base64Of(kept), text);
  }
  assert.notEqual(base64Of(sentOften(Uint8Array.of(1))), base64Of(sentOften(Uint8Array.of(2))));
});

test("bytes that are received as text are read as bytes, each of those with one name", () => {
  const metadata = new Metadata();
  for (const [name, text] of [
    ["a-bin", "AQ=="],
    ["b-bin", "AQID"],
    ["a-bin", "Ag"],
  ] as const) {
    metadata.receiveBase64(name, text);
  }
  metadata.receive("text", "1");
  const [a, b] = [[Uint8Array.of(1), Uint8Array.of(2)], Uint8Array.of(1, 2, 3)];
  assert.deepEqual(
    [metadata.getBinary("A-bin"), metadata.getBinary("b-bin"), metadata.get("a-bin")],
    [a[0], b, undefined],
  );
  assert.deepEqual([metadata.getAllBinary("A-Bin"), metadata.getAllBinary("b-bin")], [a, [b]]);
  assert.deepEqual([metadata.getAllBinary("c-bin"), metadata.getAllBinary("text")], [[], []]);
  assert.deepEqual(metadata.texts(), { text: "1" });
  assert.deepEqual(
    [...metadata],
    [
      ["a-bin", a[0]],
      ["b-bin", b],
      ["text", "1"],
      ["a-bin", a[1]],
    ],
  );
  const one = new Metadata();
  one.receiveBase64("b-bin", "AQID");
  assert.deepEqual([...one], [["b-bin", b]]);
  // Memory that it shares with others would keep theirs.
  assert.equal(one.getBinary("b-bin")?.buffer.byteLength, 3);
});

test("bytes are read in base64 too, however they came", () => {
  const metadata = new Metadata({ "b-bin": Uint8Array.of(1), text: "1" });
  metadata.receiveBase64("a-bin", "AQ==");
  metadata.receive("a-bin", Uint8Array.of(2));
  assert.deepEqual(metadata.getAllBase64("A-bin"), ["AQ==", "Ag"]);
  assert.deepEqual([metadata.getAllBase64("b-bin"), metadata.getAllBase64("text")], [["AQ"], []]);
  const twice = new Metadata({ "a-bin": Uint8Array.of(1) });
  twice.append("a-bin", Uint8Array.of(2));
  assert.deepEqual(
    [...twice],
    [
      ["a-bin", Uint8Array.of(1)],
      ["a-bin", Uint8Array.of(2)],
    ],
  );
});
