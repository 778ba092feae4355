/** The gRPC status codes in lower case, without `ok`, which is not an error. */
export type Code =
  | "cancelled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

// From google/rpc/code.proto. These numbers are on the wire, so they never change.
const numbers: Readonly<Record<Code, number>> = {
  cancelled: 1,
  unknown: 2,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  aborted: 10,
  out_of_range: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
};

/** Every code, in the order of its number. */
export const codes: readonly Code[] = Object.freeze(Object.keys(numbers) as Code[]);

const byNumber = new Map<number, Code>(codes.map((code) => [numbers[code], code]));

/** Returns the number of `code` on the wire (google.rpc.Code). */
export function codeToNumber(code: Code): number {
  return numbers[code];
}

/**
 * Returns the code of a number read from the wire. An unassigned number is `unknown`, as the gRPC
 * specification asks of clients. So is 0, since the caller has a failure and `ok` is none.
 */
export function codeFromNumber(number: number): Code {
  return byNumber.get(number) ?? "unknown";
}
