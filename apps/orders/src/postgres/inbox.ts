import { handleOnce, type Message } from "@plumbline/messaging";
import type { Database } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import { group } from "../event-messages.ts";
import type { Abortable, Inbox, Orders } from "../use-cases/ports.ts";
import { OrderTransaction } from "./order-transaction.ts";

/** The handled messages, stored in the transaction of their effect. */
export class PostgresInbox implements Inbox {
  readonly #database: Database;
  readonly #telemetry: Pick<Telemetry, "tracer">;

  constructor(database: Database, telemetry: Pick<Telemetry, "tracer">) {
    this.#database = database;
    this.#telemetry = telemetry;
  }

  async once(
    message: Pick<Message, "id" | "source">,
    effect: (orders: Pick<Orders, "change">) => Promise<void>,
    { signal }: Abortable = {},
  ): Promise<void> {
    await handleOnce(
      this.#database,
      group,
      message,
      async (tx) => await effect(new OrderTransaction(tx, this.#telemetry)),
      { signal },
    );
  }
}
