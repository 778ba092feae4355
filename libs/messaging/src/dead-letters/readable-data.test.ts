import assert from "node:assert/strict";
import { test } from "node:test";
import { message } from "../conformance/test-context.ts";
import { readableData } from "./readable-data.ts";

const unknown = () => undefined;
const show = (contentType: string, data: Uint8Array, eventToJson: () => string | undefined = unknown) =>
  readableData({ ...message("a"), contentType, data }, eventToJson);

test("a known event is shown as JSON", () => {
  assert.equal(
    show("application/protobuf", Uint8Array.of(8, 1), () => '{"id":1}'),
    '{"id":1}',
  );
});

test("an event that cannot be decoded is shown in hexadecimal", () => {
  assert.equal(show("application/protobuf", Uint8Array.of(0xff, 0x0a)), "ff0a");
});

for (const contentType of ["text/plain", "application/json"]) {
  test(`data of the type ${contentType} is shown as text`, () => {
    assert.equal(show(contentType, Buffer.from('{"a":1}')), '{"a":1}');
  });
}

test("long data is cut at 4 KiB and its size is shown", () => {
  assert.equal(show("text/plain", Buffer.alloc(5_000, "x")), `${"x".repeat(4_096)} ... 5000 bytes`);
});
