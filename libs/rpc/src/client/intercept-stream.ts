/**
 * Returns a stream with interceptors around its whole life. `run` calls the interceptors and then
 * its argument, which opens the stream and ends with it. So a span or a metric lasts until the last
 * message was read, the reader has left or the stream has failed. Messages pass straight from the
 * transport to the reader.
 */
export async function* interceptStream<C, T>(
  run: (core: (call: C) => Promise<void>) => Promise<void>,
  open: (call: C) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const opened = Promise.withResolvers<AsyncIterable<T> | undefined>();
  const over = Promise.withResolvers<void>();
  const running = run(async (call) => {
    opened.resolve(open(call));
    await over.promise;
  });
  // An interceptor may refuse before the stream is open. Then there is nothing to read, and
  // `running` has the reason.
  running.then(
    () => opened.resolve(undefined),
    () => opened.resolve(undefined),
  );
  let left = true;
  try {
    for await (const message of (await opened.promise) ?? []) yield message;
    left = false;
    over.resolve();
  } catch (error) {
    left = false;
    over.reject(error);
  } finally {
    if (left) over.reject(new DOMException("the reader left the stream", "AbortError"));
    // A reader that left needs no result. One that read to the end gets the result of the
    // interceptors.
    await (left ? running.catch(() => {}) : running);
  }
}
