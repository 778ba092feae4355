import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { eventTypes, readEvent, readFixtures, typesToRecord } from "./fixtures.ts";
import { descriptorSet } from "./index.ts";

const fixtures = readFixtures();

for (const { file, fixture } of fixtures) {
  const data = Buffer.from(fixture.hex, "hex");

  test(`${file} is read as what was written then`, () => {
    assert.deepEqual(readEvent(fixture.type, data), fixture.value);
  });

  test(`${file} is read as the same where a later version added fields`, () => {
    const added = new BinaryWriter()
      .tag(1_001, WireType.LengthDelimited)
      .string("a note")
      .tag(1_002, WireType.Varint)
      .int64(7n)
      .tag(1_003, WireType.Bit64)
      .double(0.5)
      .tag(1_004, WireType.Bit32)
      .fixed32(7)
      .finish();
    assert.deepEqual(readEvent(fixture.type, Buffer.concat([data, added])), fixture.value);
    assert.deepEqual(readEvent(fixture.type, Buffer.concat([added, data])), fixture.value);
  });
}

test("every event of the protos is on a topic, and its newest recording shows all its fields", () => {
  const { file: files } = fromBinary(FileDescriptorSetSchema, descriptorSet);
  const described = files
    .filter(({ name }) => name.endsWith("/events.proto"))
    .flatMap((file) => file.messageType.map(({ name }) => `${file.package}.${name}`));
  assert.deepEqual([...eventTypes.keys()].toSorted(), described.toSorted());
  assert.deepEqual(typesToRecord(), [], "run npm run fixtures");
});

test("an event without a recording, or with one that lacks a field, is to be recorded", () => {
  const type = "orders.v1.OrderPlaced";
  const others = fixtures.filter(({ fixture }) => fixture.type !== type);
  assert.deepEqual(typesToRecord(others), [type]);
  const newest = fixtures.findLast(({ fixture }) => fixture.type === type);
  assert.ok(newest);
  const { orderId: _, ...value } = newest.fixture.value as Record<string, unknown>;
  assert.deepEqual(typesToRecord([...others, { file: "", fixture: { type, hex: "", value } }]), [type]);
});
