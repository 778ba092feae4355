import * as http from "node:http";
import * as https from "node:https";
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
  await retry(
    async () => {
      const status = await post(url, body, bounded);
      if (status >= 200 && status < 300) return;
      const code = busy.has(status) ? "unavailable" : "failed_precondition";
      throw new ServiceError(code, `the collector answered ${status}`);
    },
    { attempts: 3, baseMs: 500, maxMs: 2_000, signal: bounded, retryable: isTransient },
  );
}

/**
 * Resolves with the status of the answer. By node:http, since `fetch` copies the body and passes it
 * through streams, which costs more than the spans in it.
 */
function post(url: string, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const headers = { "content-type": "application/x-protobuf", "content-length": body.length };
  const { request } = url.startsWith("https:") ? https : http;
  request(url, { method: "POST", headers, signal }, (answer) => {
    // The next post can have the connection once the answer is read. Its content does not matter.
    answer.on("error", () => {}).resume();
    answer.once("close", () => resolve(answer.statusCode ?? 0));
  })
    .on("error", reject)
    .end(body);
  return promise;
}

function isTransient(error: unknown): boolean {
  // Other errors are those of the connection.
  return !(error instanceof ServiceError) || error.code === "unavailable";
}
