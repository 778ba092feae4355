import { ServiceError } from "@plumbline/errors";

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * How long the caller waits, in milliseconds, from `Grpc-Timeout`: the header grpc-gateway reads, written as gRPC writes it
 * (up to 8 digits and one of H M S m u n: `500m`, `5S`). Never more than `maxMs`; `defaultMs` without the header.
 * Throws ServiceError invalid_argument when it is something else.
 */
export function timeoutOf(header: string | undefined, defaultMs: number, maxMs: number): number {
  if (header === undefined) return defaultMs;
  const [, digits = "", unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  const ms = Number(digits) * (unitMs[unit] ?? Number.NaN);
  if (digits === "" || Number.isNaN(ms)) {
    throw new ServiceError("invalid_argument", 'Grpc-Timeout is up to 8 digits and a unit, such as "500m" or "5S".', {
      reason: "INVALID_HEADER",
    });
  }
  return Math.min(ms, maxMs);
}
