import { type Client, Query, type QueryConfig, type QueryResult } from "pg";

/** The opening of one transaction. */
export interface Opening {
  readonly begin: string;
  /** The statement_timeout of its statements in ms. 0 for none. */
  readonly limitMs: number;
  /** True once it was sent to the server. */
  isSent: boolean;
}

type Prepare = (wire: object) => void;
const { prepare } = Query.prototype as unknown as { prepare: Prepare };

class GroupQuery extends Query {
  /** The statements before this one. */
  readonly before: readonly QueryConfig[];

  constructor(
    before: readonly QueryConfig[],
    config: QueryConfig,
    callback: (error?: Error, results?: unknown) => void,
  ) {
    super({ ...config, queryMode: "extended" } as QueryConfig, callback as never);
    this.before = before;
  }

  /** Called by pg to write the messages of the extended protocol. */
  prepare(wire: object): void {
    // Each writes what it would alone, but its Sync.
    const withoutSync = Object.create(wire, { sync: { value: () => {} } }) as object;
    for (const config of this.before) prepare.call(new Query(config), withoutSync);
    prepare.call(this, wire);
  }
}

/**
 * Runs prepared statements, then one more, in one write and one round trip, and resolves with the
 * results of all. They are one group up to its Sync: if one fails, the server skips the rest. So
 * after a failed or cancelled BEGIN the statement behind it does not run outside its transaction,
 * as it could in a separate write.
 */
export function queryGroup(
  client: Client,
  before: readonly QueryConfig[],
  last: QueryConfig,
): Promise<readonly QueryResult[]> {
  return new Promise((resolve, reject) => {
    client.query(
      new GroupQuery(before, last, (error, results) => {
        if (error) reject(error);
        else resolve(before.length === 0 ? [results as QueryResult] : (results as QueryResult[]));
      }),
    );
  });
}
