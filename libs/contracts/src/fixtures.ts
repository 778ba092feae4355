/**
 * Recorded events: the bytes of an event and what they must decode to. Topics, inboxes and dead
 * letters hold such bytes for weeks, so a recorded event is never changed. An event that gains a
 * field gets one more.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, createFileRegistry, type DescField, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { EventType } from "./index.ts";
import * as contracts from "./index.ts";

/** An event as it was recorded. */
export interface Fixture {
  /** `orders.v1.OrderPlaced` */
  readonly type: string;
  readonly hex: string;
  /** The decoded event as JSON: 64-bit numbers are text, times are in ISO 8601. */
  readonly value: unknown;
}

export interface FixtureFile {
  /** `2026-11-orders.v1.OrderPlaced.json`; the second of a month ends in `.2.json`. */
  readonly file: string;
  readonly fixture: Fixture;
}

interface Topic {
  readonly topic: string;
  readonly types: readonly EventType<unknown>[];
}

/** All event types, by name: those of every topic that the contracts export. */
export const eventTypes: ReadonlyMap<string, EventType<unknown>> = new Map(
  Object.values(contracts as Readonly<Record<string, unknown>>)
    .filter((value): value is Topic => typeof value === "object" && value !== null && "topic" in value)
    .flatMap(({ types }) => types)
    .map((event) => [event.type, event]),
);

const folder = join(import.meta.dirname, "../fixtures");
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, contracts.descriptorSet));

/** Returns all recorded events, the oldest first. */
export function readFixtures(): readonly FixtureFile[] {
  return readdirSync(folder)
    .toSorted((a, b) => ageOf(a).localeCompare(ageOf(b)))
    .map((file) => ({ file, fixture: JSON.parse(readFileSync(join(folder, file), "utf8")) as Fixture }));
}

/** Returns the month and number of a file as text that sorts by age. */
function ageOf(file: string): string {
  const [, month = "", number = "1"] = /^(\d{4}-\d{2})-.*?(?:\.(\d+))?\.json$/.exec(file) ?? [];
  return `${month} ${number.padStart(4, "0")} ${file}`;
}

/** Returns the event types whose newest recording does not show each of their fields. */
export function typesToRecord(fixtures: readonly FixtureFile[] = readFixtures()): readonly string[] {
  return [...eventTypes.keys()].filter((type) => {
    const newest = fixtures.findLast(({ fixture }) => fixture.type === type);
    const shown = new Set(Object.keys((newest?.fixture.value as object | undefined) ?? {}));
    return fieldsOf(type).some((name) => !shown.has(name));
  });
}

/** Returns the names of an event's fields, as JSON has them. */
export function fieldsOf(type: string): string[] {
  return descriptorOf(type).fields.map(({ jsonName }) => jsonName);
}

/** Writes a recording of the type with a sample value in every field. Returns the file's name. */
export function record(type: string, now: Date): string {
  const message = descriptorOf(type);
  const data = toBinary(message, create(message, sampleOf(message)));
  const month = now.toISOString().slice(0, 7);
  const taken = new Set(readdirSync(folder));
  let file = `${month}-${type}.json`;
  for (let number = 2; taken.has(file); number++) file = `${month}-${type}.${number}.json`;
  const fixture: Fixture = { type, hex: Buffer.from(data).toString("hex"), value: readEvent(type, data) };
  writeFileSync(join(folder, file), `${JSON.stringify(fixture, undefined, 2)}\n`);
  return file;
}

/** Decodes an event into the form of a recording's `value`. Throws for an unknown type. */
export function readEvent(type: string, data: Uint8Array): unknown {
  const event = eventTypes.get(type);
  if (event === undefined) throw new Error(`no topic has events of type ${type}`);
  return JSON.parse(JSON.stringify(event.decode(data), (_, v: unknown) => (typeof v === "bigint" ? String(v) : v)));
}

function descriptorOf(type: string): DescMessage {
  const message = registry.getMessage(type);
  if (message === undefined) throw new Error(`the protos have no message ${type}`);
  return message;
}

/** Returns a value for every field, and for the first field of each oneof. */
function sampleOf(message: DescMessage): Record<string, unknown> {
  const plain = message.fields.filter(({ oneof }) => oneof === undefined || oneof.fields.length === 1);
  const values = plain.map((field) => [field.localName, sampleField(field)]);
  const groups = message.oneofs.map((group) => {
    const [first] = group.fields;
    return [group.localName, first && { case: first.localName, value: sampleField(first) }];
  });
  return Object.fromEntries([...values, ...groups]) as Record<string, unknown>;
}

function sampleField(field: DescField): unknown {
  if (field.fieldKind === "list") {
    return [field.listKind === "message" ? sampleMessage(field.message) : sampleScalar(field.name, field.scalar)];
  }
  if (field.fieldKind === "map") return {};
  if (field.fieldKind === "message") return sampleMessage(field.message);
  if (field.fieldKind === "enum") return field.enum.values.at(-1)?.number ?? 0;
  return sampleScalar(field.name, field.scalar);
}

function sampleMessage(message: DescMessage): unknown {
  if (message.typeName === "google.protobuf.Timestamp") return timestampFromDate(new Date("2026-01-02T03:04:05.678Z"));
  return sampleOf(message);
}

/** `ScalarType` of @bufbuild/protobuf: 9 string, 12 bytes, 8 bool; 3, 4, 6, 16, 18 have 64 bits. */
function sampleScalar(name: string, type: number | undefined): unknown {
  if (type === 9 || type === undefined) return name.replaceAll("_", "-");
  if (type === 12) return new Uint8Array([1, 2, 3]);
  if (type === 8) return true;
  return [3, 4, 6, 16, 18].includes(type) ? 7n : 7;
}
