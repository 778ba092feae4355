import { ServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { derive } from "./deadline.ts";
import { Semaphore } from "./semaphore.ts";

/**
 * A task gets the group's signal and should end soon after it aborts, since the group waits for it.
 */
export type Task = (signal: AbortSignal) => Promise<unknown>;

export interface TaskGroup {
  /** Aborts with the first failure as its reason, or with the signal of the options. */
  readonly signal: AbortSignal;
  /**
   * Starts `task` and resolves once it has started. With a `limit` that may take until another task
   * has ended, so a loop that awaits it is bounded. It does not wait for the end of the task; the
   * group does. Rejects with the signal's reason if the group is aborted, and then the task does
   * not start.
   */
  start(task: Task): Promise<void>;
}

export interface TaskGroupOptions extends Abortable {
  /** The most tasks that run at a time. No limit by default. */
  readonly limit?: number | undefined;
}

/**
 * Runs `body`, which starts tasks, and returns when all of them have ended: Go's errgroup, Python's
 * TaskGroup. The first failure, also of the body, aborts `group.signal` and is thrown once the
 * others have ended, so work never outlives its scope. Later failures are usually its echo and are
 * dropped. If all succeed although the signal aborted, so does the group.
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
  // Counts the body, and each task from its call of `start`, also while it waits for its place.
  let active = 0;
  const ended = Promise.withResolvers<void>();

  const run = async (task: (signal: AbortSignal) => unknown, place?: Disposable): Promise<void> => {
    try {
      await task(signal);
    } catch (error) {
      failure ??= { error };
      // Before the place is given back, so that the next task finds the group aborted.
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
      // The group may have aborted between the hand-over of the place and this line. The place is
      // kept then, since no further task may start.
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
    // The group reports the failure to callers that do not await this. It must not be an unhandled
    // rejection.
    started.catch(() => {});
    return started;
  };

  active++;
  void run(() => body({ signal, start }));
  await ended.promise;
  if (failure !== undefined) throw failure.error;
}
