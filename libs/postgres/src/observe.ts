import { codeOf } from "@plumbline/errors";
import type { Span, Telemetry } from "@plumbline/telemetry";
import { sqlStateOf } from "./errors.ts";
import type { ConnectionPool } from "./pool.ts";

export interface DatabaseAddress {
  readonly database: string;
  readonly host: string;
  readonly port: number;
}

export type Observe = <T>(operation: string, sql: string, work: () => Promise<T>) => Promise<T>;

/**
 * Returns a function that records a duration and a client span for each statement, after
 * OpenTelemetry's conventions for databases. A statement outside any trace has no span: each poll
 * of a relay would be a trace of one span.
 */
export function observer(telemetry: Telemetry, address: DatabaseAddress): Observe {
  const durations = telemetry.metrics.histogram(
    "db_client_operation_duration_seconds",
    "Time of one database operation, waiting for a connection included.",
    ["db", "operation", "code"],
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  );
  const fixed = {
    "db.system.name": "postgresql",
    "db.namespace": address.database,
    "server.address": address.host,
    "server.port": address.port,
  };
  const timed = async <T>(operation: string, work: () => Promise<T>, span?: Span): Promise<T> => {
    const start = performance.now();
    let code = "ok";
    try {
      return await work();
    } catch (error) {
      code = codeOf(error);
      const state = sqlStateOf(error);
      if (state !== undefined) span?.setAttribute("db.response.status_code", state);
      throw error;
    } finally {
      durations.observe({ db: address.database, operation, code }, (performance.now() - start) / 1000);
    }
  };
  return (operation, sql, work) => {
    if (telemetry.tracer.current() === undefined) return timed(operation, work);
    const attributes = { ...fixed, "db.operation.name": operation, "db.query.text": sql };
    return telemetry.tracer.span(`postgres ${operation}`, { kind: "client", attributes }, (span) =>
      timed(operation, work, span),
    );
  };
}

/** Returns the first word of a statement, as a name for one without: SELECT, INSERT, WITH. */
export function verbOf(sql: string): string {
  return /^\s*(?:--[^\n]*\n\s*)*([a-z]+)/i.exec(sql)?.[1]?.toUpperCase() ?? "QUERY";
}

/** Returns a function that logs and counts a change of the credentials. */
export function observeRotations(
  { logger, metrics }: Telemetry,
  { database }: DatabaseAddress,
): (login: { readonly role: string }) => void {
  const rotations = metrics.counter(
    "db_client_credential_rotations_total",
    "Changes of the credentials while the process ran.",
    ["db"],
  );
  return ({ role }) => {
    rotations.inc({ db: database });
    logger.info("database credentials changed", { db: database, role });
  };
}

/** Registers gauges of the pool. Disposing removes them. */
export function observePool(telemetry: Telemetry, address: DatabaseAddress, pool: ConnectionPool): Disposable {
  const stack = new DisposableStack();
  const db = address.database;
  const connections = telemetry.metrics.gauge("db_client_connections", "Connections of the pool.", ["db", "state"]);
  const waiting = telemetry.metrics.gauge(
    "db_client_connection_pending_requests",
    "Callers waiting for a connection.",
    ["db"],
  );
  stack.use(connections.observe(() => pool.inUse, { db, state: "used" }));
  stack.use(connections.observe(() => pool.idle, { db, state: "idle" }));
  const most = telemetry.metrics.gauge("db_client_connection_max", "Connections the pool may have.", ["db"]);
  stack.use(most.observe(() => pool.size, { db }));
  stack.use(waiting.observe(() => pool.waiting, { db }));
  return stack;
}
