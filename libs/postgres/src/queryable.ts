import type { Abortable } from "@plumbline/concurrency";
import type { Statement } from "./connection.ts";
import { type Observe, verbOf } from "./observe.ts";

export interface QueryOptions extends Abortable {
  /**
   * The name to prepare the statement under, once per connection. Also its name in metrics and
   * traces. Use a fixed set of names, never built from data.
   */
  readonly name?: string | undefined;
}

export interface Queryable {
  /**
   * Returns the rows of one statement, all in memory: bound them with LIMIT. When the signal
   * aborts, the statement is cancelled on the server and the call rejects with the signal's reason.
   * Throws ServiceError (unavailable, resource_exhausted, deadline_exceeded, aborted), or pg's
   * DatabaseError for a wrong statement or wrong data.
   */
  query<R = Record<string, unknown>>(sql: string, values?: readonly unknown[], options?: QueryOptions): Promise<R[]>;
}

/** Returns a `query` that runs its statements by `run`. */
export function queryWith(
  observe: Observe,
  run: (statement: Statement, options: Abortable) => Promise<readonly unknown[]>,
): Queryable["query"] {
  return async <R>(text: string, values?: readonly unknown[], options: QueryOptions = {}) => {
    const { name, signal } = options;
    return await observe(
      name ?? verbOf(text),
      text,
      async () => (await run({ text, values, name }, { signal })) as R[],
    );
  };
}
