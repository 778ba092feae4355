import { ServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { derive } from "./deadline.ts";
import { Semaphore } from "./semaphore.ts";

export interface TaskGroup {
  /** Aborts with the first failure as its reason, or with the signal the group was given. */
  readonly signal: AbortSignal;
  /**
   * Starts `task` and resolves once it has started: with a `limit` that may take until another has ended, so awaiting it
   * is what bounds a loop. It does not wait for the task's end; the group does. Rejects with the signal's reason when the group
   * is aborted: nothing more is started.
   */
  start(task: (signal: AbortSignal) => Promise<unknown>): Promise<void>;
}

export interface TaskGroupOptions extends Abortable {
  /** How many tasks run at a time. Without it, as many as are started. */
  readonly limit?: number | undefined;
}

/**
 * Runs `body`, which starts tasks, and returns when all of them have ended. The first failure, the body's included, aborts
 * `group.signal`, and is thrown once the others are done: work never outlives its scope (Go's errgroup, Python's TaskGroup).
 * Failures after the first are most often its echo and are dropped. If all succeed although the signal aborted, that is a success.
 */
export async function taskGroup(
  body: (group: TaskGroup) => Promise<void> | void,
  options: TaskGroupOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted();
  const places = options.limit === undefined ? undefined : new Semaphore(options.limit);
  using scope = derive(options);
  const { signal } = scope;
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  let ended = false;

  const fail = (error: unknown): void => {
    failure ??= { error };
    scope.abort(error);
  };
  const run = async (task: (signal: AbortSignal) => Promise<unknown>, place: Disposable | undefined): Promise<void> => {
    try {
      await task(signal);
    } catch (error) {
      fail(error);
    } finally {
      place?.[Symbol.dispose]();
    }
  };
  const launch = async (task: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
    if (ended) throw new ServiceError("failed_precondition", "the task group has ended");
    signal.throwIfAborted();
    const place = places && (places.tryAcquire() ?? (await places.acquire({ signal })));
    const done = run(task, place).finally(() => running.delete(done));
    running.add(done);
  };
  const start = (task: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
    const started = launch(task);
    // Who does not await it learns of the failure from the group; it must not end the process as unhandled.
    started.catch(() => {});
    return started;
  };

  try {
    await body({ signal, start });
  } catch (error) {
    fail(error);
  }
  // A task may start others, so one look is not enough.
  while (running.size > 0) await Promise.all(running);
  ended = true;
  if (failure !== undefined) throw failure.error;
}
