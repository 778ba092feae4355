/** Why an engine could not be started. Stable: the development stack chooses its exit message by it. */
export type EngineErrorCode =
  | "port_taken"
  | "folder_unwritable"
  | "folder_unfinished"
  | "folder_other_version"
  | "folder_in_use"
  | "missing_library"
  | "unsupported_platform"
  | "start_failed";

/** A start that failed for a reason a person can remove: the message says what happened and what to do about it. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
