import { deadline, derive, fullJitter, sleep } from "@plumbline/concurrency";
import type { Database, Queryable, Session } from "@plumbline/postgres";

/**
 * A database session in which each statement must end within `statementMs`. If one does not, the
 * connection counts as lost.
 */
export interface HeldSession extends Queryable {
  /** Aborts when the connection is lost. All locks of the session are lost with it. */
  readonly signal: AbortSignal;
}

/** The options of `holdSession`. */
export interface HoldOptions {
  /** Ends the wait for a connection. Once connected, `work` must end itself when this aborts. */
  readonly closing: AbortSignal;
  readonly statementMs: number;
  readonly onLost: (error: unknown, attempt: number) => void;
}

const reconnect = { baseMs: 100, maxMs: 5_000 };
/** A session that lasted this long resets the backoff. */
const stableMs = 10_000;

/**
 * Runs `work` with a session until it returns. If it fails, runs it again with a new session after
 * a backoff, unless `closing` has aborted.
 */
export async function holdSession(
  database: Database,
  work: (session: HeldSession) => Promise<void>,
  { closing, statementMs, onLost }: HoldOptions,
): Promise<void> {
  for (let attempt = 1; !closing.aborted; attempt++) {
    const startedAt = performance.now();
    using opening = derive({ signal: closing });
    try {
      await database.session(async (session) => {
        opening[Symbol.dispose]();
        await work(bounded(session, statementMs));
      }, opening);
    } catch (error) {
      if (closing.aborted) return;
      if (performance.now() - startedAt > stableMs) attempt = 1;
      onLost(error, attempt);
      await sleep(fullJitter(attempt, reconnect), { signal: closing }).catch(() => undefined);
    }
  }
}

function bounded(session: Session, statementMs: number): HeldSession {
  return {
    signal: session.signal,
    async query(sql, values, options) {
      using limit = deadline(statementMs, { signal: session.signal });
      return await session.query(sql, values, { ...options, signal: limit.signal });
    },
  };
}
