/**
 * A stream with layers around its whole life. `run` calls the layers and then its argument, which opens the stream and
 * ends with it: so what surrounds a call (a span, a metric) lasts until the last message was read, the reader has left
 * or the stream has failed, while messages pass straight from the transport to the reader.
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
  // A layer may refuse before the stream is open: then there is nothing to read, and `running` says why.
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
    // Who left needs to hear nothing more; who read to the end hears how it ended, as the layers tell it.
    await (left ? running.catch(() => {}) : running);
  }
}
