import { ServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { derive } from "./deadline.ts";
import { Semaphore } from "./semaphore.ts";

/** It is given the group's signal, and should end soon after that aborts: the group waits for it. */
export type Task = (signal: AbortSignal) => Promise<unknown>;

export interface TaskGroup {
  /** Aborts with the first failure as its reason, or with the signal the group was given. */
  readonly signal: AbortSignal;
  /**
   * Starts `task` and resolves once it has started: with a `limit` that may take until another has ended, so awaiting it
   * is what bounds a loop. It does not wait for the task's end; the group does. Rejects with the signal's reason when the group
   * is aborted: nothing more is started.
   */
  start(task: Task): Promise<void>;
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
  let failure: { readonly error: unknown } | undefined;
  // What the group waits for: the body, and each task from the call of `start` on, so that one that still waits for
  // its place is not forgotten when the body and the others end.
  let active = 0;
  const ended = Promise.withResolvers<void>();

  const run = async (task: (signal: AbortSignal) => unknown, place?: Disposable): Promise<void> => {
    try {
      await task(signal);
    } catch (error) {
      failure ??= { error };
      // Before the place is given back: the next in line must find the group aborted.
      scope.abort(error);
    } finally {
      place?.[Symbol.dispose]();
      leave();
    }
  };
  const leave = (): void => {
    active--;
    if (active === 0) ended.resolve();
  };
  const launch = async (task: Task): Promise<void> => {
    try {
      const place = places && (places.tryAcquire() ?? (await places.acquire({ signal })));
      // Last, because the group may abort between a place being passed on and its waiter going on. The place is not passed
      // on then: nobody is to start any more.
      signal.throwIfAborted();
      void run(task, place);
    } catch (error) {
      leave();
      throw error;
    }
  };
  const start = (task: Task): Promise<void> => {
    if (active === 0) return Promise.reject(new ServiceError("failed_precondition", "the task group has ended"));
    active++;
    const started = launch(task);
    // Who does not await it learns of the failure from the group; it must not end the process as unhandled.
    started.catch(() => {});
    return started;
  };

  active++;
  void run(() => body({ signal, start }));
  await ended.promise;
  if (failure !== undefined) throw failure.error;
}
