/** google.rpc.Status and the details this project uses, as google/rpc/status.proto and error_details.proto have them. */
import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { type Any, anyPack, anyUnpack, type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import type { FieldViolation, ServiceError } from "@plumbline/errors";
import { defineFile, field, messageOf } from "./schema.ts";

export const errorDetailsFile = defineFile({
  name: "google/rpc/status_and_details.proto",
  package: "google.rpc",
  dependency: ["google/protobuf/any.proto", "google/protobuf/duration.proto"],
  messageType: [
    {
      name: "Status",
      field: [
        field(1, "code", "int32"),
        field(2, "message", "string"),
        field(3, "details", ".google.protobuf.Any", { repeated: true }),
      ],
    },
    { name: "ErrorInfo", field: [field(1, "reason", "string"), field(2, "domain", "string")] },
    { name: "RetryInfo", field: [field(1, "retry_delay", ".google.protobuf.Duration")] },
    {
      name: "BadRequest",
      field: [field(1, "field_violations", ".google.rpc.BadRequest.FieldViolation", { repeated: true })],
      nestedType: [{ name: "FieldViolation", field: [field(1, "field", "string"), field(2, "description", "string")] }],
    },
  ],
});

const StatusSchema = messageOf<{ code: number; message: string; details: Any[] }>(errorDetailsFile, "Status");
const ErrorInfoSchema = messageOf<{ reason: string; domain: string }>(errorDetailsFile, "ErrorInfo");
const RetryInfoSchema = messageOf<{ retryDelay?: Duration }>(errorDetailsFile, "RetryInfo");
const BadRequestSchema = messageOf<{ fieldViolations: (Message & FieldViolation)[] }>(errorDetailsFile, "BadRequest");
const violationDesc = BadRequestSchema.nestedMessages[0];
if (violationDesc === undefined) throw new Error("BadRequest has no FieldViolation");
const FieldViolationSchema = violationDesc as GenMessage<Message & FieldViolation>;

/** Reasons are unique within a domain (google.rpc.ErrorInfo). */
const domain = "plumbline";
/** In base64 they grow by a third, and must stay well below the 8 KiB of trailers that some clients accept. */
const maxViolationBytes = 3 * 1024;

type Details = Pick<ServiceError, "reason" | "violations" | "retryAfterMs">;

/** The bytes of `grpc-status-details-bin`; undefined when the status says it all. Violations past 3 KiB are left out. */
export function encodeDetails(code: number, message: string, error: Details): Uint8Array | undefined {
  const { reason, violations, retryAfterMs } = error;
  const details: Any[] = [];
  if (reason !== undefined) details.push(anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain })));
  if (violations.length > 0) {
    const fieldViolations = fitting(violations).map((violation) => create(FieldViolationSchema, violation));
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  if (retryAfterMs !== undefined) {
    const whole = Math.floor(retryAfterMs / 1000);
    const nanos = Math.round((retryAfterMs - whole * 1000) * 1e6);
    const retryDelay = create(DurationSchema, { seconds: BigInt(whole), nanos });
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  if (details.length === 0) return undefined;
  return toBinary(StatusSchema, create(StatusSchema, { code, message, details }));
}

/** What is known of the details; of bytes that are no google.rpc.Status, nothing: the code and message still stand. */
export function decodeDetails(bytes: Uint8Array | undefined): {
  reason?: string;
  violations?: FieldViolation[];
  retryAfterMs?: number;
} {
  if (bytes === undefined) return {};
  try {
    const found: ReturnType<typeof decodeDetails> = {};
    for (const any of fromBinary(StatusSchema, bytes).details) {
      const info = anyUnpack(any, ErrorInfoSchema);
      if (info) found.reason = info.reason;
      const bad = anyUnpack(any, BadRequestSchema);
      if (bad) found.violations = bad.fieldViolations.map(({ field, description }) => ({ field, description }));
      const retry = anyUnpack(any, RetryInfoSchema)?.retryDelay;
      if (retry) found.retryAfterMs = Number(retry.seconds) * 1000 + retry.nanos / 1e6;
    }
    return found;
  } catch {
    return {};
  }
}

function fitting(violations: readonly FieldViolation[]): FieldViolation[] {
  let bytes = 0;
  return violations
    .map(({ field, description }) => ({ field: field.toWellFormed(), description: description.toWellFormed() }))
    .filter(({ field, description }) => {
      bytes += Buffer.byteLength(field) + Buffer.byteLength(description) + 8;
      return bytes <= maxViolationBytes;
    });
}
