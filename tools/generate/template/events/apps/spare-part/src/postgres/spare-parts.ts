import type { Abortable } from "@plumbline/concurrency";
import { sparePartCreated, sparePartsEvents } from "@plumbline/contracts";
import { appendToOutbox, eventMessage, handleOnce } from "@plumbline/messaging";
import type { Database, Transaction } from "@plumbline/postgres";
import type { Tracer } from "@plumbline/telemetry";
import type { SparePart } from "../domain/spare-part.ts";
import type { MessageId, SpareParts } from "../use-cases/ports.ts";

const columns = 'id, name, create_time as "createTime"';

/**
 * Spare parts in PostgreSQL, with their events in its outbox. A signal that aborts stops the
 * statement on the server.
 */
export class PostgresSpareParts implements SpareParts {
  readonly #database: Database;
  readonly #tracer: Tracer;

  /** The tracer writes the trace of the call into the event that it causes. */
  constructor(database: Database, tracer: Tracer) {
    this.#database = database;
    this.#tracer = tracer;
  }

  async find(id: string, { signal }: Abortable = {}): Promise<SparePart | undefined> {
    const [row] = await this.#database.query<SparePart>(`select ${columns} from spare_parts where id = $1`, [id], {
      signal,
      name: "find_spare_part",
    });
    return row;
  }

  async add(sparePart: SparePart, { signal }: Abortable = {}): Promise<SparePart> {
    return await this.#database.transaction((tx) => this.#insert(tx, sparePart, { signal }), { signal });
  }

  async addOnce(message: MessageId, sparePart: SparePart, { signal }: Abortable = {}): Promise<void> {
    const effect = async (tx: Transaction): Promise<void> => void (await this.#insert(tx, sparePart, { signal }));
    await handleOnce(this.#database, "spare-part", message, effect, { signal });
  }

  async #insert(tx: Transaction, sparePart: SparePart, { signal }: Abortable): Promise<SparePart> {
    const { id, name, createTime } = sparePart;
    const [row] = await tx.query<SparePart & { readonly isNew: boolean }>(
      // The update changes nothing: without it, "on conflict" returns no row.
      // A new row has xmax 0.
      `insert into spare_parts (id, name, create_time) values ($1, $2, $3)
       on conflict (id) do update set id = excluded.id
       returning ${columns}, xmax = 0 as "isNew"`,
      [id, name, createTime],
      { signal, name: "add_spare_part" },
    );
    if (row === undefined) throw new Error("the insert returned no row");
    const { isNew, ...stored } = row;
    if (isNew) {
      const fields = { source: sparePartsEvents.source, key: id, time: createTime };
      const event = eventMessage(sparePartCreated, { sparePartId: id, name, occurTime: createTime }, fields);
      await appendToOutbox(tx, sparePartsEvents.topic, event, { signal, tracer: this.#tracer });
    }
    return stored;
  }
}
