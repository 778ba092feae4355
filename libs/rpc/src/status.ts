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

// Some clients accept at most 8 KiB of trailers (gRPC's default outside Node), details and message
// together.
const maxMessageLength = 1024;

/**
 * Returns the status of anything that was thrown. An error without a code becomes a bare
 * "internal": its message may hold a query, a path or a secret.
 */
export function statusOf(error: unknown): Status {
  const named = isServiceError(error) ? error : withCode(error);
  const code = codeToNumber(named.code);
  // Half a surrogate pair would make the transport's percent-encoding throw.
  const message = named.message.slice(0, maxMessageLength).toWellFormed();
  const details = encodeDetails(code, message, named);
  const { retryAfterMs } = named;
  if (retryAfterMs === undefined) return { code, message, details };
  return { code, message, details, pushbackMs: Math.min(Math.ceil(retryAfterMs), 2 ** 31 - 1) };
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
