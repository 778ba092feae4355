import { ServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { deadline, derive } from "./deadline.ts";
import { onAbort } from "./on-abort.ts";
import { taskGroup } from "./task-group.ts";

export interface FetchRequest {
  readonly url: string | URL;
  readonly init?: RequestInit | undefined;
}

export interface FetchAllOptions extends Abortable {
  /** How many requests are under way at a time. */
  readonly concurrency: number;
  /** For all of them together, their bodies included. */
  readonly timeoutMs: number;
  /** Makes each request; the platform's `fetch` when not given. A place for what surrounds one, such as a span. */
  readonly fetch?: ((url: URL, init: RequestInit) => Promise<Response>) | undefined;
}

/**
 * Fetches all `requests`, at most `concurrency` at a time, and resolves with what `read` made of each response, in the order of
 * the requests. The first failure aborts the others and is thrown when they have ended; so does the deadline, with a
 * `TimeoutError`. No answer at all is `unavailable`; any answer, a 500 too, is for `read` to judge.
 *
 * `read` also decides how much of a body to hold: `response.json()` takes whatever is sent, so read `response.body` with a
 * limit where the other side is not trusted. A body it leaves unread is cancelled.
 */
export async function fetchAll<T>(
  requests: readonly FetchRequest[],
  read: (response: Response, index: number) => Promise<T>,
  options: FetchAllOptions,
): Promise<T[]> {
  const urls = requests.map(({ url }) => new URL(url));
  const results: T[] = [];
  using limit = deadline(options.timeoutMs, options);
  await taskGroup(
    async (group) => {
      for (const [index, url] of urls.entries()) {
        await group.start(async (signal) => {
          const send = (init: RequestInit) => (options.fetch ?? fetch)(url, init);
          results[index] = await fetchOne(url, requests[index]?.init, signal, send, (response) =>
            read(response, index),
          );
        });
      }
    },
    { signal: limit.signal, limit: options.concurrency },
  );
  return results;
}

async function fetchOne<T>(
  url: URL,
  init: RequestInit | undefined,
  signal: AbortSignal,
  send: (init: RequestInit) => Promise<Response>,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  using scope = derive({ signal });
  const own = init?.signal ?? undefined;
  using _link = onAbort(own, () => scope.abort(own?.reason));
  const response = await send({ ...init, signal: scope.signal }).catch((error: unknown) => {
    scope.signal.throwIfAborted();
    throw new ServiceError("unavailable", `no answer from ${url.origin}`, { cause: error });
  });
  try {
    return await read(response);
  } finally {
    // An unread body keeps its connection busy; one that is read or locked is the reader's. That cancelling a body
    // already aborted fails is no news, and must not hide what `read` threw.
    if (response.body !== null && !response.bodyUsed && !response.body.locked)
      await response.body.cancel().catch(ignore);
  }
}

function ignore(): void {}
