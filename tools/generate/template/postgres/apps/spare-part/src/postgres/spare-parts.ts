import type { Abortable } from "@plumbline/concurrency";
import type { Database } from "@plumbline/postgres";
import type { SparePart } from "../domain/spare-part.ts";
import type { SpareParts } from "../use-cases/ports.ts";

/** Spare parts in PostgreSQL. A signal that aborts stops the statement on the server. */
export class PostgresSpareParts implements SpareParts {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async find(id: string, { signal }: Abortable = {}): Promise<SparePart | undefined> {
    const [row] = await this.#database.query<SparePart>(
      'select id, name, create_time as "createTime" from spare_parts where id = $1',
      [id],
      { signal, name: "find_spare_part" },
    );
    return row;
  }

  async add({ id, name, createTime }: SparePart, { signal }: Abortable = {}): Promise<SparePart> {
    const [row] = await this.#database.query<SparePart>(
      // The update changes nothing: without it, "on conflict" returns no row.
      `insert into spare_parts (id, name, create_time) values ($1, $2, $3)
       on conflict (id) do update set id = excluded.id
       returning id, name, create_time as "createTime"`,
      [id, name, createTime],
      { signal, name: "add_spare_part" },
    );
    if (row === undefined) throw new Error("the insert returned no row");
    return row;
  }
}
