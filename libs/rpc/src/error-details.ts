import type { ErrorDetail, FieldViolation, ServiceError } from "@plumbline/errors";
import type { MessageType } from "./definition.ts";
import type { Any } from "./gen/google/protobuf/any.ts";
import { BadRequest, BadRequest_FieldViolation, ErrorInfo, RetryInfo } from "./gen/google/rpc/error_details.ts";
import { Status } from "./gen/google/rpc/status.ts";

/** The domain of our reasons, in which they are unique (google.rpc.ErrorInfo). */
const domain = "plumbline";
/**
 * The bound on violations and details of other types together. In base64 they grow by a third, and
 * must stay well below the 8 KiB of trailers that some clients accept.
 */
const maxBytes = 2 * 1024;
/** The octets around each of them. */
const frameBytes = 8;
const maxReasonLength = 128;

type Details = Pick<ServiceError, "reason" | "violations" | "retryAfterMs" | "details">;

/**
 * Returns the bytes of `grpc-status-details-bin`, or undefined if code and message are all there
 * is. Past 2 KiB, details of other types are left out, then violations.
 */
export function encodeDetails(code: number, message: string, error: Details): Uint8Array | undefined {
  const { reason, violations, retryAfterMs } = error;
  const details: Any[] = [];
  let left = maxBytes;
  const fits = (...texts: (string | Uint8Array)[]): boolean => {
    for (const text of texts) left -= Buffer.byteLength(text);
    left -= frameBytes;
    return left >= 0;
  };
  if (reason !== undefined)
    details.push(pack("ErrorInfo", ErrorInfo, { reason: reason.slice(0, maxReasonLength), domain, metadata: {} }));
  if (violations.length > 0) {
    const fieldViolations = violations
      .map(({ field, description }) => ({ field: field.toWellFormed(), description: description.toWellFormed() }))
      .filter(({ field, description }) => fits(field, description))
      .map((violation) => BadRequest_FieldViolation.fromPartial(violation));
    details.push(pack("BadRequest", BadRequest, { fieldViolations }));
  }
  if (retryAfterMs !== undefined) {
    const seconds = Math.floor(retryAfterMs / 1000);
    const nanos = Math.round((retryAfterMs - seconds * 1000) * 1e6);
    details.push(pack("RetryInfo", RetryInfo, { retryDelay: { seconds: BigInt(seconds), nanos } }));
  }
  for (const { typeUrl, value } of error.details ?? []) if (fits(typeUrl, value)) details.push({ typeUrl, value });
  if (details.length === 0) return undefined;
  return Status.encode({ code, message, details }).finish();
}

/**
 * Returns the details that are known here. Bytes that are not a google.rpc.Status have none; the
 * code and the message of the call still stand.
 */
export function decodeDetails(bytes: Uint8Array | undefined): {
  reason?: string;
  violations?: FieldViolation[];
  retryAfterMs?: number;
  details?: ErrorDetail[];
} {
  if (bytes === undefined) return {};
  try {
    const found: ReturnType<typeof decodeDetails> = {};
    for (const { typeUrl, value } of Status.decode(bytes).details) {
      switch (typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) {
        case "google.rpc.ErrorInfo":
          found.reason = ErrorInfo.decode(value).reason;
          break;
        case "google.rpc.BadRequest":
          found.violations = BadRequest.decode(value).fieldViolations.map(({ field, description }) => ({
            field,
            description,
          }));
          break;
        case "google.rpc.RetryInfo": {
          const { retryDelay } = RetryInfo.decode(value);
          if (retryDelay) found.retryAfterMs = Number(retryDelay.seconds) * 1000 + retryDelay.nanos / 1e6;
          break;
        }
        default:
          (found.details ??= []).push({ typeUrl, value });
      }
    }
    return found;
  } catch {
    return {};
  }
}

function pack<T>(name: string, type: MessageType<T>, message: T): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value: type.encode(message).finish() };
}
