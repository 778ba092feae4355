import type { Decision, Rate } from "./gcra.ts";

/** The rates in force. Asked with each request, so a change of the settings holds from the next one on. */
export interface RateLimits {
  readonly perClient: Rate;
  readonly global: Rate;
}

export interface Verdict {
  readonly client: Decision;
  /** Of all clients together. Absent when the client's own rate refused: that one takes nothing from the others' share. */
  readonly global?: Decision | undefined;
}

/** Port: counts one request of `client` and says whether it may pass, at once where it need not ask anybody. Its adapters pass one suite, test/limiter-conformance.ts. */
export interface RateLimiter {
  take(client: string, limits: RateLimits): Verdict | Promise<Verdict>;
}
