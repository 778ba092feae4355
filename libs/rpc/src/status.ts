import { type Code, codeFromNumber, codeOf, codeToNumber, isServiceError, ServiceError } from "@plumbline/errors";
import { decodeDetails, encodeDetails } from "./error-details.ts";

/** How a call ended, as it stands in the trailers. */
export interface Status {
  /** 0 is success; else google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  /** The bytes of `grpc-status-details-bin`. */
  readonly details?: Uint8Array | undefined;
  /** When gRPC clients may call again: `grpc-retry-pushback-ms`. */
  readonly pushbackMs?: number | undefined;
}

export const ok: Status = { code: 0, message: "" };

/** The trailer that carries a google.rpc.Status beside `grpc-status`. */
export const detailsName = "grpc-status-details-bin";

/** The trailer by which a server says when it may be called again; clients that retry wait that long (gRPC A6). */
export const pushbackName = "grpc-retry-pushback-ms";

// Some clients accept no more than 8 KiB of trailers (gRPC's default outside Node), details and message together.
const maxMessageLength = 1024;

/**
 * The status of anything that was thrown. Of an error nobody named the caller learns only "internal": its message may
 * hold a query, a path or a secret.
 */
export function statusOf(error: unknown): Status {
  const named = isServiceError(error) ? error : nameless(error);
  const code = codeToNumber(named.code);
  // Half a surrogate pair would throw in the transport's percent-encoding, far from whoever wrote it.
  const message = named.message.slice(0, maxMessageLength).toWellFormed();
  const details = encodeDetails(code, message, named);
  const { retryAfterMs } = named;
  if (retryAfterMs === undefined) return { code, message, details };
  return { code, message, details, pushbackMs: Math.min(Math.ceil(retryAfterMs), 2 ** 31 - 1) };
}

/** What the other side's status is as an error. */
export function errorOf(status: Status): ServiceError {
  return new ServiceError(codeFromNumber(status.code), status.message, decodeDetails(status.details));
}

/** Names the error at the edge: an abort and a timeout by their codes, everything else `internal` with the cause kept. */
export function nameless(error: unknown): ServiceError {
  const code: Code = codeOf(error);
  const message = code === "internal" ? "internal" : code === "cancelled" ? "cancelled" : "deadline exceeded";
  return new ServiceError(code, message, { cause: error });
}
