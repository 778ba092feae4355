import { findErrorBy, GenericError, MultipleErrors } from "@platformatic/kafka";

/**
 * Returns false for errors that would repeat with each attempt, such as those of decoding a batch.
 */
export function isRetryable(error: unknown): boolean {
  const isOfLibrary = error instanceof GenericError || error instanceof MultipleErrors;
  return isOfLibrary && findErrorBy(error, "canRetry", false) === null;
}

/** Returns true if the group asks its member to join again. */
export function needsRejoin(error: unknown): boolean {
  return error instanceof Error && findErrorBy(error, "needsRejoin", true) !== null;
}
