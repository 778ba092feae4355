import { type BaseOptions, type Connection, ConnectionPool, Reader } from "@platformatic/kafka";
import { readableFetch17 } from "../batches/fetch-response.ts";

const fetchKey = 1;
const versions = { first: 13, last: 17 };

/**
 * Returns a pool whose connections make fetched batches readable before the library decodes them.
 * @platformatic/kafka inflates them without a bound, and an unreadable batch fails the whole fetch.
 */
export function readablePool(base: BaseOptions): ConnectionPool {
  const pool = new ConnectionPool(base.clientId, base);
  pool.on("connecting", ({ connection }) => readFetches(connection));
  return pool;
}

function readFetches(connection: Connection): void {
  const send = connection.send.bind(connection);
  connection.send = (key, version, payload, parse, ...rest) => {
    const parseReadable: typeof parse = (id, _key, _version, reader) =>
      parse(id, key, version, readable(version, reader));
    send(key, version, payload, key === fetchKey ? parseReadable : parse, ...rest);
  };
}

function readable(version: number, reader: Reader): Reader {
  if (version < versions.first || version > versions.last) {
    throw new Error(`fetches of version ${version} are not supported; Kafka must be 3.9 or later`);
  }
  return Reader.from(readableFetch17(reader.buffer.slice(reader.position)));
}
