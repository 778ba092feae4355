export type { Abortable } from "./abortable.ts";
export { AdaptiveLimit, type AdaptiveLimitOptions, type Permit } from "./adaptive-limit.ts";
export { type BackgroundOptions, type BackgroundWork, background } from "./background.ts";
export { Batches, type BatchesOptions, type RunBatch } from "./batches.ts";
export { Channel, ChannelClosedError, type Received } from "./channel.ts";
export { deadline, deadlineOf, derive, type Scope } from "./deadline.ts";
export { Deadlines, type Expiring } from "./deadlines.ts";
export { Event, type EventWaitOptions } from "./event.ts";
export { type FairRequest, FairSemaphore, type FairSemaphoreOptions } from "./fair-semaphore.ts";
export { onAbort } from "./on-abort.ts";
export {
  type PlaceHolder,
  type PlaceOwner,
  Places,
  type PlacesOptions,
  placeSocket,
  type RefusedPlace,
} from "./places.ts";
export { Pool, PoolClosedError, PoolFullError, type PoolOptions } from "./pool.ts";
export { type RepeatOptions, repeat } from "./repeat.ts";
export { type Backoff, fullJitter, type RetryOptions, retry } from "./retry.ts";
export { type Case, type SelectOptions, select } from "./select.ts";
export { Semaphore } from "./semaphore.ts";
export { aborted, sleep } from "./sleep.ts";
export { steadyNow } from "./steady-now.ts";
export { type Task, type TaskGroup, type TaskGroupOptions, taskGroup } from "./task-group.ts";
export { longestTimerMs } from "./timer.ts";
export { type WithinOptions, within } from "./within.ts";
