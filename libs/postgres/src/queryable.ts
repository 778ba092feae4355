import type { Abortable } from "@plumbline/concurrency";
import type { Statement } from "./connection.ts";
import { type Observe, verbOf } from "./observe.ts";

export interface QueryOptions extends Abortable {
  /**
   * Prepares the statement under this name, once per connection: it is then planned once. From a fixed set, never built
   * from data. Also the operation's name in metrics and traces.
   */
  readonly name?: string | undefined;
}

export interface Queryable {
  /**
   * The rows of one statement, all in memory: bound them with LIMIT. When the signal aborts, the statement is cancelled
   * on the server and the call rejects with the signal's reason. Throws ServiceError (unavailable, resource_exhausted,
   * deadline_exceeded, aborted), or pg's DatabaseError for what is wrong with the statement or its data.
   */
  query<R = Record<string, unknown>>(sql: string, values?: readonly unknown[], options?: QueryOptions): Promise<R[]>;
}

/** `query` over whatever runs a statement. */
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
