import { codeOf } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import { sqlStateOf } from "./errors.ts";
import type { ConnectionPool } from "./pool.ts";

export interface Peer {
  readonly database: string;
  readonly host: string;
  readonly port: number;
}

export type Observe = <T>(operation: string, sql: string, work: () => Promise<T>) => Promise<T>;

/** A client span and a duration for each statement, after OpenTelemetry's conventions for databases. */
export function observer(telemetry: Telemetry, peer: Peer): Observe {
  const durations = telemetry.metrics.histogram(
    "db_client_operation_duration_seconds",
    "Time of one database operation, waiting for a connection included.",
    ["db", "operation", "code"],
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  );
  const fixed = {
    "db.system.name": "postgresql",
    "db.namespace": peer.database,
    "server.address": peer.host,
    "server.port": peer.port,
  };
  return (operation, sql, work) => {
    const attributes = { ...fixed, "db.operation.name": operation, "db.query.text": sql };
    return telemetry.tracer.span(`postgres ${operation}`, { kind: "client", attributes }, async (span) => {
      const start = performance.now();
      let code = "ok";
      try {
        return await work();
      } catch (error) {
        code = codeOf(error);
        const state = sqlStateOf(error);
        if (state !== undefined) span.setAttribute("db.response.status_code", state);
        throw error;
      } finally {
        durations.observe({ db: peer.database, operation, code }, (performance.now() - start) / 1000);
      }
    });
  };
}

/** The first word of a statement, where nobody gave it a name: SELECT, INSERT, WITH. */
export function verbOf(sql: string): string {
  return /^\s*(?:--[^\n]*\n\s*)*([a-z]+)/i.exec(sql)?.[1]?.toUpperCase() ?? "QUERY";
}

/** How full the pool is. Disposing takes the readings away. */
export function observePool(telemetry: Telemetry, peer: Peer, pool: ConnectionPool): Disposable {
  const stack = new DisposableStack();
  const db = peer.database;
  const connections = telemetry.metrics.gauge("db_client_connection_count", "Connections of the pool.", [
    "db",
    "state",
  ]);
  const waiting = telemetry.metrics.gauge(
    "db_client_connection_pending_requests",
    "Callers waiting for a connection.",
    ["db"],
  );
  stack.use(connections.observe(() => pool.inUse, { db, state: "used" }));
  stack.use(connections.observe(() => pool.idle, { db, state: "idle" }));
  stack.use(waiting.observe(() => pool.waiting, { db }));
  return stack;
}
