import { type Budget, type Json, printable, text } from "./printable.ts";

const maxCauses = 8;
const maxStack = 8_192;

/**
 * Returns the log fields of an error: `error.type`, `error.message` and `error.stack` (named as
 * OpenTelemetry's exceptions), `error.code` and `error.reason` if present, and `error.causes`, at
 * most eight, the nearest first. They are for the log only: a caller gets only the code and message
 * of a ServiceError.
 */
export function errorFields(error: unknown, budget: Budget): Record<string, Json> {
  try {
    const causes = chain(error).map((cause) => summary(cause, budget));
    return {
      "error.type": typeOf(error),
      "error.message": messageOf(error, budget),
      ...facts(error, "error.", budget),
      ...(error instanceof Error &&
        error.stack !== undefined && { "error.stack": text(error.stack, budget, maxStack) }),
      ...(causes.length > 0 && { "error.causes": causes }),
    };
  } catch {
    return { "error.type": "unreadable" }; // A getter of the error threw. Logging must not.
  }
}

/**
 * Returns the name that groups similar errors: the name of an Error, or the type of another thrown
 * value.
 */
export function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return error === null ? "null" : typeof error;
  // A subclass that sets no name has its constructor's.
  return (error.name === "Error" ? error.constructor.name : error.name).slice(0, 128);
}

export function messageOf(error: unknown, budget: Budget): string {
  const value = printable(error instanceof Error ? error.message : error, budget);
  return typeof value === "string" ? value : text(JSON.stringify(value), budget);
}

function summary(error: unknown, budget: Budget): Json {
  return { type: typeOf(error), message: messageOf(error, budget), ...facts(error, "", budget) };
}

function facts(error: unknown, prefix: string, budget: Budget): Record<string, Json> {
  const result: Record<string, Json> = {};
  if (!(error instanceof Error)) return result;
  for (const name of ["code", "reason"] as const) {
    const value: unknown = name in error ? (error as unknown as Record<string, unknown>)[name] : undefined;
    if (typeof value === "string" || typeof value === "number") result[prefix + name] = printable(value, budget);
  }
  return result;
}

/** Returns causes and the members of aggregates, the nearest first. */
function chain(error: unknown): readonly unknown[] {
  const found: unknown[] = [];
  const queue = [error];
  const seen = new Set<unknown>();
  for (let next = queue.shift(); next !== undefined && found.length <= maxCauses; next = queue.shift()) {
    if (seen.has(next)) continue;
    seen.add(next);
    found.push(next);
    if (next instanceof AggregateError) queue.push(...next.errors.slice(0, maxCauses));
    if (next instanceof SuppressedError) queue.push(next.error, next.suppressed);
    if (next instanceof Error && next.cause !== undefined) queue.push(next.cause);
  }
  return found.slice(1);
}
