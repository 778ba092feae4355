import type { ServerResponse } from "node:http";
import { derive, type Scope } from "@plumbline/concurrency";

/** A scope that aborts when the client hangs up before its answer is complete. */
export function untilClientGone(response: ServerResponse): Scope {
  const scope = derive();
  const onClose = (): void => {
    if (!response.writableFinished) scope.abort(new DOMException("the client hung up", "AbortError"));
  };
  response.once("close", onClose);
  if (response.destroyed) onClose();
  return {
    signal: scope.signal,
    abort: (reason) => scope.abort(reason),
    [Symbol.dispose]() {
      response.off("close", onClose);
      scope[Symbol.dispose]();
    },
  };
}
