/** The one option everything that waits has. Aborting it rejects the wait with the signal's reason. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}
