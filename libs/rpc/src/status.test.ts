import assert from "node:assert/strict";
import { test } from "node:test";
import { codes, codeToNumber, ServiceError } from "@plumbline/errors";
import { errorOf, statusOf } from "./status.ts";

test("every error survives the round trip", () => {
  for (const code of codes) {
    const sent = new ServiceError(code, `no: ${code}`, {
      reason: "WHY",
      violations: [{ field: "a.b[3]", description: "– ü 🫖" }],
      retryAfterMs: 1_234,
      cause: new Error("for the log"),
    });
    const got = errorOf(statusOf(sent));
    const { message, reason, violations, retryAfterMs, cause } = got;
    assert.deepEqual(
      { code: got.code, message, reason, violations, retryAfterMs, cause },
      {
        code,
        message: sent.message,
        reason: "WHY",
        violations: sent.violations,
        retryAfterMs: 1_234,
        cause: undefined,
      },
    );
  }
});

test("an error without details sends none", () => {
  assert.equal(statusOf(new ServiceError("not_found", "no order")).details, undefined);
});

for (const { name, error, code, message } of [
  { name: "an error without a code", error: new TypeError("secret"), code: "internal", message: "internal" },
  { name: "a thrown string", error: "secret", code: "internal", message: "internal" },
  { name: "undefined", error: undefined, code: "internal", message: "internal" },
  { name: "an abort", error: AbortSignal.abort().reason, code: "cancelled", message: "cancelled" },
  {
    name: "a timeout",
    error: new DOMException("secret", "TimeoutError"),
    code: "deadline_exceeded",
    message: "deadline exceeded",
  },
] as const) {
  test(`${name} becomes ${code}, without its message`, () => {
    assert.deepEqual(statusOf(error), { code: codeToNumber(code), message, details: undefined });
  });
}

test("details that are no google.rpc.Status keep code and message", () => {
  for (const details of [new Uint8Array([0xff, 0xff]), new Uint8Array(), Buffer.from("plain text, of all things")]) {
    const { code, message, violations } = errorOf({ code: 9, message: "conflict", details });
    assert.deepEqual(
      { code, message, violations },
      { code: "failed_precondition", message: "conflict", violations: [] },
    );
  }
});

test("details of unknown types are ignored", () => {
  // google.rpc.Status { code: 9, details: [{ type_url: "t/x.Y", value: "?" }] }
  const details = Buffer.from("08091a0a0a05742f782e5912013f", "hex");
  assert.equal(errorOf({ code: 9, message: "", details }).reason, undefined);
});

test("an unassigned code is unknown", () => {
  assert.equal(errorOf({ code: 99, message: "?" }).code, "unknown");
});

test("a retry delay is a pushback of whole milliseconds, of 32 bits at most", () => {
  const pushbackOf = (retryAfterMs: number) =>
    statusOf(new ServiceError("unavailable", "", { retryAfterMs })).pushbackMs;
  assert.deepEqual([pushbackOf(0), pushbackOf(1.2), pushbackOf(1e12)], [0, 2, 2 ** 31 - 1]);
});

for (const letter of ["x", "é", "中", "🫖"]) {
  test(`the trailers of an error stay below 8 KiB, whatever its texts are made of: ${letter}`, () => {
    const long = letter.repeat(10_000);
    const violations = Array.from({ length: 100 }, () => ({ field: "a", description: letter.repeat(30) }));
    const details = Array.from({ length: 1_000 }, () => ({ typeUrl: letter.repeat(10), value: new Uint8Array(50) }));
    const all = { reason: "R".repeat(10_000), violations, details };
    const status = statusOf(new ServiceError("invalid_argument", long, all));
    const base64 = Math.ceil((status.details ?? []).length / 3) * 4;
    assert.ok(encodeURIComponent(status.message).length + base64 < 7_900, `${base64}`);
    assert.ok(Buffer.byteLength(status.message) > 1_020);
    const { message, reason, violations: kept } = errorOf(status);
    assert.equal(message, letter.repeat(Math.floor(1_024 / Buffer.byteLength(letter))));
    assert.equal(reason, "R".repeat(128));
    assert.ok(kept.length > 10);
  });
}
