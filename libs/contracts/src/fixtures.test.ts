import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet, type EventType, fulfilmentEvents, ordersEvents } from "./index.ts";

/**
 * An event as topics, inboxes and dead letters have it since the month in its file name. A file is
 * never changed: for an event that gains a field, a file of that month is added.
 */
interface Fixture {
  readonly type: string;
  readonly hex: string;
  /** The event as JSON: 64-bit numbers as text, times in ISO 8601. */
  readonly value: unknown;
}

const events: ReadonlyMap<string, Pick<EventType<unknown>, "decode">> = new Map(
  [...ordersEvents.types, ...fulfilmentEvents.types].map((event) => [event.type, event]),
);

const folder = join(import.meta.dirname, "../fixtures");
const fixtures = readdirSync(folder).map((file) => ({
  file,
  fixture: JSON.parse(readFileSync(join(folder, file), "utf8")) as Fixture,
}));

function decode({ type }: Fixture, data: Uint8Array): unknown {
  const event = events.get(type);
  assert.ok(event, `no topic has events of type ${type}`);
  const value = event.decode(data);
  return JSON.parse(JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v)));
}

for (const { file, fixture } of fixtures) {
  const data = Buffer.from(fixture.hex, "hex");

  test(`${file} is read as what was written then`, () => {
    assert.deepEqual(decode(fixture, data), fixture.value);
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
    assert.deepEqual(decode(fixture, Buffer.concat([data, added])), fixture.value);
    assert.deepEqual(decode(fixture, Buffer.concat([added, data])), fixture.value);
  });
}

test("every event of the protos is on a topic and has a fixture that shows all its fields", () => {
  const { file: files } = fromBinary(FileDescriptorSetSchema, descriptorSet);
  const described = files
    .filter(({ name }) => name.endsWith("/events.proto"))
    .flatMap((file) => file.messageType.map(({ name }) => `${file.package}.${name}`));
  assert.deepEqual([...events.keys()].toSorted(), described.toSorted());
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
  for (const type of described) {
    const latest = fixtures.findLast(({ fixture }) => fixture.type === type);
    const fields = registry.getMessage(type)?.fields.map(({ jsonName }) => jsonName) ?? [];
    assert.deepEqual(Object.keys(latest?.fixture.value ?? {}).toSorted(), fields.toSorted(), type);
  }
});
