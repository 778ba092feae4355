/**
 * The reason why an engine could not start. The codes are stable: the embedded stack chooses its
 * message by them.
 */
export type EngineErrorCode =
  | "port_taken"
  | "folder_unwritable"
  | "folder_unfinished"
  | "folder_other_version"
  | "folder_in_use"
  | "password_needed"
  | "missing_library"
  | "unsupported_platform"
  | "start_failed";

/** A failed start that the user can fix: the message says what happened and what to do. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
