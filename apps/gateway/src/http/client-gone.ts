import type { ServerResponse } from "node:http";
import type { Scope } from "@plumbline/concurrency";

/** Aborts `scope` when the client hangs up before its answer is complete, until disposed. */
export function abortWhenClientGone(response: ServerResponse, scope: Scope): Disposable {
  const onClose = (): void => {
    if (!response.writableFinished) scope.abort(new DOMException("the client hung up", "AbortError"));
  };
  response.once("close", onClose);
  if (response.destroyed) onClose();
  return { [Symbol.dispose]: () => void response.off("close", onClose) };
}
