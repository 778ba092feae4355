/**
 * Loaded into a service by `--import`: kills the process (SIGKILL, no handler runs) at the point
 * that a file names, without a change of the service's code. It removes the file first, so a
 * restarted process lives.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Producer } from "@platformatic/kafka";
import kafkajs from "kafkajs";
import { Client } from "pg";
import type { PointName } from "./points.ts";

const service = /apps\/(\w+)\//.exec(process.argv[1] ?? "")?.[1] ?? "none";
const file = join(process.env["CRASH_FOLDER"] ?? ".", service);
const hits = new Map<string, number>();

/**
 * Counts passages of the point, and kills the process at the one that the file names:
 * `NUMBER POINT`.
 */
function pass(point: PointName): void {
  let armed: string;
  try {
    armed = readFileSync(file, "utf8");
  } catch {
    return;
  }
  const [, at, name] = /^(\d+) (.*)$/.exec(armed) ?? [];
  if (name !== point) return;
  const count = (hits.get(armed) ?? 0) + 1;
  hits.set(armed, count);
  if (count < Number(at)) return;
  rmSync(file);
  process.kill(process.pid, "SIGKILL");
}

interface Connection {
  once(event: "readyForQuery", listener: () => void): void;
}
interface PgClient {
  connection: Connection;
  /** The tables that the open transaction has written. Undefined outside of transactions. */
  wrote?: Set<string> | undefined;
}
interface Statement {
  readonly text?: string;
  readonly name?: string;
  /** The statements that are sent with this one, before it. */
  readonly before?: readonly Statement[];
}

const pgClient = Client.prototype as unknown as { query(this: PgClient, ...args: unknown[]): unknown };
// oxlint-disable-next-line typescript/unbound-method -- it is called with the client it belongs to.
const { query } = pgClient;
pgClient.query = function (this: PgClient, ...args: unknown[]) {
  const last = typeof args[0] === "string" ? { text: args[0] } : (args[0] as Statement | undefined);
  const committed = new Set<string>();
  for (const { text = "", name = "" } of [...(last?.before ?? []), ...(last === undefined ? [] : [last])]) {
    const tables = [...text.matchAll(/insert into (\w+)/gi)].map(([, table]) => table ?? "");
    if (/^\s*begin/i.test(text)) this.wrote = new Set();
    // A statement outside of a transaction is one by itself.
    for (const table of tables) (this.wrote ?? committed).add(table);
    if (/delete from outbox/i.test(text)) pass("after the send, before the mark");
    if (name === "messaging_publish") pass("before the relay sends");
    if (!/^\s*(commit|rollback)\b/i.test(text)) continue;
    if (/commit/i.test(text)) for (const table of this.wrote ?? []) committed.add(table);
    this.wrote = undefined;
  }
  if (committed.size === 0) return query.apply(this, args);

  if (service === "orders" && committed.has("orders")) pass("before the order commits");
  if (service === "orders" && committed.has("inbox")) pass("before the answer commits");
  if (service === "worker" && committed.has("inbox")) pass("before the effect commits");
  const result = query.apply(this, args);
  this.connection.once("readyForQuery", () => {
    if (service === "orders" && committed.has("orders")) pass("after the order commits");
    if (service === "worker" && committed.has("inbox")) pass("after the effect commits, before the offset");
  });
  return result;
};

// The relay sends by either Kafka client, as `kafka.client` says.
const { prototype } = kafkajs.Kafka;
// oxlint-disable-next-line typescript/unbound-method -- it is called with the client it belongs to.
const { producer } = prototype;
prototype.producer = function (options) {
  const made = producer.call(this, options);
  return {
    ...made,
    send: async (record) => {
      pass("before the relay sends");
      return await made.send(record);
    },
  };
};

const platformatic = Producer.prototype as unknown as { send(...args: unknown[]): unknown };
// oxlint-disable-next-line typescript/unbound-method -- likewise.
const { send } = platformatic;
platformatic.send = function (...args) {
  pass("before the relay sends");
  return send.apply(this, args);
};

const { fetch } = globalThis;
globalThis.fetch = async (...args) => {
  const response = await fetch(...args);
  pass("while suppliers are asked");
  return response;
};
