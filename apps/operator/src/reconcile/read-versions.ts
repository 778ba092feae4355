import { request } from "node:http";
import { buffer } from "node:stream/consumers";
import { type Abortable, onAbort } from "@plumbline/concurrency";
import { z } from "zod";

const Report = z.object({ versions: z.record(z.string(), z.string().max(100)) });

const timeoutMs = 2_000;
const maxBytes = 16 * 1024;

/**
 * Returns the versions of Secrets that a pod's agent has written, by their names in the resource.
 * Returns undefined if it does not say so within two seconds.
 */
export async function readVersions(
  host: string,
  port: number,
  { signal }: Abortable = {},
): Promise<ReadonlyMap<string, string> | undefined> {
  const sent = request({ host, port, path: "/", agent: false, signal: AbortSignal.timeout(timeoutMs) });
  using _link = onAbort(signal, () => sent.destroy());
  try {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    sent.on("error", reject);
    sent.on("response", (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) sent.destroy(new Error("too large"));
      });
      buffer(response).then(resolve, reject);
    });
    sent.end();
    const text = (await promise).toString();
    return new Map(Object.entries(Report.parse(JSON.parse(text)).versions));
  } catch {
    // A pod that starts or ends has no answer, and the caller asks again.
    return undefined;
  }
}
