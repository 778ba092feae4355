import type { IncomingHttpHeaders } from "node:http";
import { encodePrincipal, type Principal, principalName } from "@plumbline/auth";
import { ServiceError } from "@plumbline/errors";
import { type MetadataInit, type MetadataValue, sentOften } from "@plumbline/rpc";
import { shareKeyName } from "@plumbline/rpc/shares";
import { newUuid } from "./uuid.ts";

/** The request ids that are accepted: no character in them can end a header or a log line. */
const validRequestId = /^[\w.:=+/@~-]{1,128}$/;

/** Returns the caller's `X-Request-Id` if it is valid, else a new UUIDv7, which sorts by time. */
export function requestIdOf(header: string | undefined): string {
  return header !== undefined && validRequestId.test(header) ? header : newUuid();
}

/**
 * Returns the metadata that is passed on to the service: `x-request-id`, `idempotency-key`, and the
 * client's share key and principal, which the client cannot set. The list is closed, since other
 * headers concern only the client and the gateway. The trace's context is added where the call is
 * made. Throws ServiceError invalid_argument for an invalid Idempotency-Key.
 */
export function metadataOf(
  headers: IncomingHttpHeaders,
  requestId: string,
  shareKey: string,
  principal?: Principal,
): MetadataInit {
  const key = headers["idempotency-key"];
  const metadata: Record<string, MetadataValue> = { "x-request-id": requestId, [shareKeyName]: shareKey };
  if (principal !== undefined) metadata[principalName] = bytesOf(principal);
  if (key === undefined) return metadata;
  if (typeof key !== "string" || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalid("Idempotency-Key must have 1 to 255 visible ASCII characters, and no spaces.");
  }
  metadata["idempotency-key"] = key;
  return metadata;
}

const encoded = new WeakMap<Principal, Uint8Array>();

/** The verifier's cache returns the same object for all requests with a token. */
function bytesOf(principal: Principal): Uint8Array {
  let bytes = encoded.get(principal);
  if (bytes === undefined) {
    bytes = sentOften(encodePrincipal(principal));
    encoded.set(principal, bytes);
  }
  return bytes;
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * Returns the deadline of a call in milliseconds, from `Grpc-Timeout`, the header that grpc-gateway
 * reads: `defaultMs` without the header, and never more than `maxMs`. Throws ServiceError
 * invalid_argument for anything but up to 8 digits and a unit.
 */
export function timeoutOf(header: string | undefined, defaultMs: number, maxMs: number): number {
  if (header === undefined) return defaultMs;
  const [, digits = "", unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  const ms = Number(digits) * (unitMs[unit] ?? Number.NaN);
  if (digits === "" || Number.isNaN(ms)) {
    throw invalid('Grpc-Timeout must be up to 8 digits and one unit of H, M, S, m, u, n, such as "500m" or "5S".');
  }
  return Math.min(ms, maxMs);
}

function invalid(message: string): ServiceError {
  return new ServiceError("invalid_argument", message, { reason: "INVALID_HEADER" });
}
