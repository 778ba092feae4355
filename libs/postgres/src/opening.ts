import { type Client, Query, type QueryConfig, type QueryResult } from "pg";

/** How one transaction opens. */
export interface Opening {
  readonly begin: string;
  /** For each of its statements in ms; 0 for none. */
  readonly limitMs: number;
  /** Whether it went to the server. */
  isSent: boolean;
}

/** What pg's types leave out: the messages of the extended protocol, and where a Query writes its own. */
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
 * Runs statements that are prepared under their own texts, then another, in one write and one round trip. They are one group
 * up to its Sync: where one fails the server passes over the rest. A BEGIN that fails, cancelled perhaps, thus never leaves
 * the statement behind it to run outside of its transaction, as one in a write of its own could.
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
