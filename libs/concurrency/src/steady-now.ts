const { timeOrigin } = performance;

/**
 * Returns the milliseconds since the epoch by a clock that was right when this process began, and
 * that cannot be set. Deadlines and waits are measured by it: by `Date.now` they would be late, or
 * early, by as much as the system's clock is set. `Date.now` is for times that are sent or shown.
 */
export function steadyNow(): number {
  return timeOrigin + performance.now();
}
