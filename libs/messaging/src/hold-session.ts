import { deadline, derive, fullJitter, sleep } from "@plumbline/concurrency";
import type { Database, Queryable, Session } from "@plumbline/postgres";

/** What holders use of a session: each statement ends within `statementMs`, or the connection counts as lost. */
export interface HeldSession extends Queryable {
  /** Aborts when the connection is lost, and with it every lock. */
  readonly signal: AbortSignal;
}

export interface HoldOptions {
  /** Ends the waiting for a connection; once there is one, `work` sees to its own end, in order. */
  readonly closing: AbortSignal;
  readonly statementMs: number;
  readonly onLost: (error: unknown, attempt: number) => void;
}

const reconnect = { baseMs: 100, maxMs: 5_000 };
/** A session that lived this long was no failed attempt. */
const settledMs = 10_000;

/** Runs `work` with a session, again with a new one whenever that fails, until it returns while closing. */
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
      if (performance.now() - startedAt > settledMs) attempt = 1;
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
