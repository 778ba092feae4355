import { type Code, codeFromNumber, codeOf, codeToNumber, isServiceError, ServiceError } from "@plumbline/errors";
import { decodeDetails, encodeDetails } from "./error-details.ts";

/** The outcome of a call, as its trailers state it. */
export interface Status {
  /** 0 for success, otherwise a google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  /** The bytes of `grpc-status-details-bin`. */
  readonly details?: Uint8Array | undefined;
  /** The delay before gRPC clients may retry: `grpc-retry-pushback-ms`. */
  readonly pushbackMs?: number | undefined;
}

export const ok: Status = { code: 0, message: "" };

/** The trailer with a google.rpc.Status, beside `grpc-status`. */
export const detailsName = "grpc-status-details-bin";

/** The trailer with the delay before a retry; clients that retry wait that long (gRPC A6). */
export const pushbackName = "grpc-retry-pushback-ms";

/**
 * The bound on a message, in octets of UTF-8. Some clients accept at most 8 KiB of trailers (gRPC's
 * default outside Node), details and message together, and percent-encoding makes three of each.
 */
const maxMessageBytes = 1024;

/**
 * Returns the status of anything that was thrown. An error without a code becomes a bare
 * "internal": its message may hold a query, a path or a secret.
 */
export function statusOf(error: unknown): Status {
  const named = isServiceError(error) ? error : withCode(error);
  const code = codeToNumber(named.code);
  const message = cut(named.message);
  const details = encodeDetails(code, message, named);
  const { retryAfterMs } = named;
  if (retryAfterMs === undefined) return { code, message, details };
  return { code, message, details, pushbackMs: Math.min(Math.ceil(retryAfterMs), 2 ** 31 - 1) };
}

/** Cuts a text between two characters. Half a surrogate pair would make percent-encoding throw. */
function cut(text: string): string {
  const whole = text.slice(0, maxMessageBytes).toWellFormed();
  if (whole.length * 3 <= maxMessageBytes) return whole;
  const { read } = new TextEncoder().encodeInto(whole, new Uint8Array(maxMessageBytes));
  return whole.slice(0, read);
}

/** Returns the other side's status as an error. */
export function errorOf(status: Status): ServiceError {
  return new ServiceError(codeFromNumber(status.code), status.message, decodeDetails(status.details));
}

/**
 * Gives an error without a code its code: aborts and timeouts have theirs, everything else becomes
 * `internal` with the original as its cause.
 */
export function withCode(error: unknown): ServiceError {
  const code: Code = codeOf(error);
  const message = code === "internal" ? "internal" : code === "cancelled" ? "cancelled" : "deadline exceeded";
  return new ServiceError(code, message, { cause: error });
}
