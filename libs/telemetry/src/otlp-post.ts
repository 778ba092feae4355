import { retry } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";

const sendMs = 5_000;
const busy = new Set([429, 502, 503, 504]);

/**
 * Posts protobuf to a collector, as OTLP over HTTP. Retries when the collector is busy or cannot be
 * reached. Rejects if it does not accept the body within 5 s, or once `signal` aborts: a collector
 * that never answers must not keep a process alive.
 */
export async function postOtlp(url: string, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(sendMs)]);
  const headers = { "content-type": "application/x-protobuf" };
  await retry(
    async () => {
      const answer = await fetch(url, { method: "POST", headers, body, signal: bounded });
      await answer.body?.cancel();
      if (answer.ok) return;
      const code = busy.has(answer.status) ? "unavailable" : "failed_precondition";
      throw new ServiceError(code, `the collector answered ${answer.status}`);
    },
    { attempts: 3, baseMs: 500, maxMs: 2_000, signal: bounded, retryable: isTransient },
  );
}

function isTransient(error: unknown): boolean {
  // fetch reports a broken or refused connection as a TypeError.
  return error instanceof TypeError || (error instanceof ServiceError && error.code === "unavailable");
}
