/** The option of everything that waits. Aborting the signal rejects the wait with its reason. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}
