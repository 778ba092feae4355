import type { Abortable } from "@plumbline/concurrency";
import { type Check, Health, serveOps } from "@plumbline/lifecycle";
import type { Telemetry } from "@plumbline/telemetry";

/** A resource that the service depends on. */
interface Dependency {
  /** Resolves when the dependency answers. */
  ping(options: Abortable): Promise<unknown>;
  /** True while it answers, and the work that it brings stands still. */
  readonly isStuck?: boolean;
}

/** The port for probes and scrapers, and the health that it reports. */
export interface OpsPort extends AsyncDisposable {
  readonly health: Health;
  readonly port: number;
}

/**
 * Serves /healthz, /readyz and /metrics. The service is ready once every dependency answered, and
 * unready while the database takes no writes.
 */
export async function openOps(
  settings: { readonly host: string; readonly port: number },
  dependencies: Readonly<Record<string, Dependency | Check>>,
  { logger, metrics }: Pick<Telemetry, "logger" | "metrics">,
): Promise<OpsPort> {
  const checks = Object.entries(dependencies).map(([name, dependency]) => {
    const check: Check = typeof dependency === "function" ? dependency : (options) => dependency.ping(options);
    return [name, check] as const;
  });
  const working = Object.entries(dependencies).flatMap(([name, dependency]) =>
    typeof dependency !== "function" && "isStuck" in dependency
      ? [[`${name} moves`, () => dependency.isStuck === false] as const]
      : [],
  );
  const health = new Health(Object.fromEntries(checks), {
    working: Object.fromEntries(working),
    unfit: (error) => error instanceof Error && "reason" in error && error.reason === "DATABASE_READ_ONLY",
    onFailure: (check, error) => logger.warn("dependency not reached", { check, error: String(error) }),
  });
  const ops = await serveOps({ ...settings, health, metrics: (format) => metrics.text(format) });
  return { health, port: ops.port, [Symbol.asyncDispose]: () => ops[Symbol.asyncDispose]() };
}
