import { type Abortable, deadline, derive, onAbort, taskGroup } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";

export interface FetchRequest {
  readonly url: string | URL;
  readonly init?: RequestInit | undefined;
}

export interface FetchAllOptions extends Abortable {
  /** The most requests in flight at a time. */
  readonly concurrency: number;
  /** Takes a place before each request, also among those of other calls; freed after its body. */
  readonly place?: ((signal: AbortSignal) => Promise<Disposable>) | undefined;
  /** The time for all of them together, including their bodies. */
  readonly timeoutMs: number;
  /**
   * Sends each request. Default: the platform's `fetch`. Wrap it to surround each request, as with
   * a span.
   */
  readonly fetch?: ((url: URL, init: RequestInit) => Promise<Response>) | undefined;
}

/**
 * Fetches all `requests`, at most `concurrency` at a time. Resolves with the result of `read` for
 * each response, in the order of the requests. The first failure aborts the others and is thrown
 * when they have ended. The deadline does the same with a `TimeoutError`. A request without an
 * answer fails with `unavailable`; `read` judges every answer, also a 500.
 *
 * `read` decides how much of a body to hold: `response.json()` reads all of it, so read
 * `response.body` with a limit if the other side is not trusted. An unread body is cancelled.
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
          using _place = await options.place?.(signal);
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
    // An unread body keeps its connection busy. Cancelling an aborted body fails, which must not
    // hide the error of `read`.
    if (response.body !== null && !response.bodyUsed && !response.body.locked)
      await response.body.cancel().catch(ignore);
  }
}

function ignore(): void {}
