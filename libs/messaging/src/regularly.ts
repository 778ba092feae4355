import { derive, sleep } from "@plumbline/concurrency";
import type { Logger } from "@plumbline/telemetry";

/**
 * Runs `work` about every `everyMs` until disposed, one run at a time; a run that throws is logged as `failure` and the
 * next is tried. Spread by half, so that processes started together do not come together.
 */
export function regularly(
  everyMs: number,
  work: (options: { readonly signal: AbortSignal }) => Promise<void>,
  logger: Logger,
  failure: string,
): AsyncDisposable {
  const scope = derive();
  const ended = (async () => {
    while (!scope.signal.aborted) {
      try {
        await sleep(everyMs * (0.5 + Math.random()), scope);
        await work(scope);
      } catch (error) {
        if (!scope.signal.aborted) logger.warn(failure, { error: String(error) });
      }
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      scope.abort();
      await ended;
    },
  };
}
