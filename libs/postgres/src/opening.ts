import { type Client, Query, type QueryConfig, type QueryResult } from "pg";

/** The opening of one transaction. */
export interface Opening {
  readonly begin: string;
  /** The statement_timeout of its statements in ms. 0 for none. */
  readonly limitMs: number;
  /** True once it was sent to the server. */
  isSent: boolean;
}

/** The methods of pg that its types omit: the messages of the extended protocol. */
interface Wire {
  bind(options: { readonly statement: string }): void;
  execute(options: object): void;
}
type Prepare = (wire: Wire) => void;

class OpeningQuery extends Query {
  readonly #texts: readonly string[];

  constructor(texts: readonly string[], config: QueryConfig, callback: (error?: Error, results?: unknown) => void) {
    super({ ...config, queryMode: "extended" } as QueryConfig, callback as never);
    this.#texts = texts;
  }

  prepare(wire: Wire): void {
    for (const text of this.#texts) {
      wire.bind({ statement: text });
      wire.execute({});
    }
    (Query.prototype as unknown as { prepare: Prepare }).prepare.call(this, wire);
  }
}

/**
 * Runs prepared statements, then one more, in one write and one round trip. They are one group up
 * to its Sync: if one fails, the server skips the rest. So after a failed or cancelled BEGIN the
 * statement behind it does not run outside its transaction, as it could in a separate write.
 */
export function queryBehind(client: Client, texts: readonly string[], config: QueryConfig): Promise<QueryResult> {
  return new Promise((resolve, reject) => {
    client.query(
      new OpeningQuery(texts, config, (error, results) => {
        if (error) reject(error);
        else resolve((Array.isArray(results) ? results.at(-1) : results) as QueryResult);
      }),
    );
  });
}
