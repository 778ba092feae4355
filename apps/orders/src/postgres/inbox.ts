import type { Message } from "@plumbline/messaging";
import type { Database } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import type { Abortable, Decide, Inbox } from "../use-cases/ports.ts";
import { OrderTransaction } from "./order-transaction.ts";

/** The handled messages, stored in the transaction of their effect. */
export class PostgresInbox implements Inbox {
  readonly #database: Database;
  readonly #telemetry: Pick<Telemetry, "tracer">;

  constructor(database: Database, telemetry: Pick<Telemetry, "tracer">) {
    this.#database = database;
    this.#telemetry = telemetry;
  }

  async changeOnce(
    message: Pick<Message, "id" | "source">,
    id: string,
    decide: Decide,
    { signal }: Abortable = {},
  ): Promise<void> {
    await this.#database.transaction(
      async (tx) => await new OrderTransaction(tx, this.#telemetry).changeOnce(message, id, decide, { signal }),
      { signal },
    );
  }
}
