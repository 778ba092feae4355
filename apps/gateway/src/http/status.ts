import { STATUS_CODES } from "node:http";
import type { Code } from "@plumbline/errors";

/** The HTTP status of each code, as in grpc-gateway (runtime/errors.go, HTTPStatusFromCode). */
export const statusOfCode: Readonly<Record<Code, number>> = {
  cancelled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

/**
 * The reasons (google.rpc.ErrorInfo) that override the status of their code. The first match wins.
 */
export const statusOfReason: readonly { readonly reason: RegExp; readonly status: number; readonly why: string }[] = [
  {
    reason: /^[A-Z0-9_]+_ALREADY_[A-Z0-9_]+$/,
    status: 409,
    why: "the resource's state does not allow it: ORDER_ALREADY_FULFILLED",
  },
  { reason: /^IDEMPOTENCY_KEY_REUSED$/, status: 422, why: "an earlier request used the same key" },
  { reason: /^EXPECTATION_FAILED$/, status: 417, why: "Expect is not 100-continue" },
  { reason: /^BODY_TOO_SLOW$/, status: 408, why: "the body arrives more slowly than the least rate" },
  { reason: /^MISDIRECTED_REQUEST$/, status: 421, why: "Host is none of `http.hosts`" },
  { reason: /^METHOD_NOT_ALLOWED$/, status: 405, why: "the path supports other methods: see Allow" },
  { reason: /^NOT_ACCEPTABLE$/, status: 406, why: "Accept allows no available format" },
  { reason: /^BODY_TOO_LARGE$/, status: 413, why: "the body is larger than the limit" },
  {
    reason: /^UNSUPPORTED_MEDIA_TYPE$/,
    status: 415,
    why: "the body is not application/json in UTF-8, or is compressed",
  },
];

/** Returns the HTTP status of a failure. */
export function statusOf(code: Code, reason: string | undefined): number {
  const row = reason === undefined ? undefined : statusOfReason.find((one) => one.reason.test(reason));
  return row?.status ?? statusOfCode[code];
}

/** Returns a status in words, as in RFC 9110. 499 is nginx's. */
export function titleOf(status: number): string {
  return status === 499 ? "Client Closed Request" : (STATUS_CODES[status] ?? "Error");
}
