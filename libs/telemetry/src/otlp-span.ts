import { type Link, type SpanContext, SpanStatusCode } from "@opentelemetry/api";
import { printable } from "./printable.ts";
import type { ProtobufWriter } from "./protobuf-writer.ts";
import type { EndedSpan, FlatAttributes, SpanEvent } from "./recorded-span.ts";

/** The longest text of an attribute, in characters. */
const maxText = 2_048;

/**
 * Writes a span as field 2 of OTLP's ScopeSpans. Numbers of fields are those of
 * opentelemetry/proto/trace/v1/trace.proto.
 */
export function writeSpan(to: ProtobufWriter, span: EndedSpan): void {
  const mark = to.open(2);
  const { ids, parent, status } = span;
  writeIds(to, ids);
  if (parent !== undefined) to.hex(4, parent.spanId);
  to.text(5, span.name);
  to.varint(6, span.kind + 1);
  to.nanoseconds(7, span.startedAt);
  to.nanoseconds(8, span.endedAt);
  writeAttributes(to, 9, span.attributes);
  if (span.droppedAttributes > 0) to.varint(10, span.droppedAttributes);
  for (const event of span.events) writeEvent(to, event);
  if (span.droppedEvents > 0) to.varint(12, span.droppedEvents);
  for (const link of span.links) writeLink(to, link);
  if (status.code !== SpanStatusCode.UNSET) {
    const inStatus = to.open(15);
    if (status.message !== undefined) to.text(2, status.message);
    to.varint(3, status.code);
    to.close(inStatus);
  }
  to.fixed32(16, flagsOf(ids.traceFlags, parent?.isRemote));
  to.close(mark);
}

/** Writes attributes as repeated KeyValue. */
export function writeAttributes(to: ProtobufWriter, field: number, attributes: FlatAttributes): void {
  for (let at = 0; at < attributes.length; at += 2) {
    const mark = to.open(field);
    to.text(1, attributes[at] as string);
    writeValue(to, 2, attributes[at + 1]);
    to.close(mark);
  }
}

function writeIds(to: ProtobufWriter, { traceId, spanId, traceState }: SpanContext): void {
  to.hex(1, traceId);
  to.hex(2, spanId);
  if (traceState !== undefined) to.text(3, traceState.serialize());
}

function writeEvent(to: ProtobufWriter, { name, at, attributes, droppedAttributes }: SpanEvent): void {
  const mark = to.open(11);
  to.nanoseconds(1, at);
  to.text(2, name);
  writeAttributes(to, 3, attributes);
  if (droppedAttributes > 0) to.varint(4, droppedAttributes);
  to.close(mark);
}

function writeLink(to: ProtobufWriter, { context, attributes }: Link): void {
  const mark = to.open(13);
  writeIds(to, context);
  if (attributes !== undefined) writeAttributes(to, 4, Object.entries(attributes).flat() as FlatAttributes);
  to.fixed32(6, flagsOf(context.traceFlags, context.isRemote));
  to.close(mark);
}

function writeValue(to: ProtobufWriter, field: number, value: unknown): void {
  const mark = to.open(field);
  if (typeof value === "string") to.text(1, value.length > maxText ? value.slice(0, maxText) : value);
  else if (typeof value === "boolean") to.varint(2, value ? 1 : 0);
  else if (typeof value === "number") writeNumber(to, value);
  else if (Array.isArray(value)) writeList(to, value);
  else to.text(1, JSON.stringify(printable(value)).slice(0, maxText));
  to.close(mark);
}

function writeNumber(to: ProtobufWriter, value: number): void {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 63) to.int64(3, value);
  else to.double(4, value);
}

function writeList(to: ProtobufWriter, values: readonly unknown[]): void {
  const mark = to.open(5);
  // A list in a list becomes text, as objects do.
  for (const value of values) writeValue(to, 1, Array.isArray(value) ? JSON.stringify(printable(value)) : value);
  to.close(mark);
}

/** Returns the flags of W3C, with OTLP's two bits that say whether the parent is remote. */
function flagsOf(traceFlags: number, isRemote: boolean | undefined): number {
  return (traceFlags & 0xff) | 0x100 | (isRemote === true ? 0x200 : 0);
}
