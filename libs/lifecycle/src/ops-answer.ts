import type { Health } from "./health.ts";

export interface OpsAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/**
 * Answers a probe over HTTP: 200 or 503, with names and booleans only. The reason why a dependency
 * is not reached stays in the log, so a public port may answer a load balancer with this too.
 */
export async function answerHealth(health: Health, path: "/healthz" | "/readyz"): Promise<OpsAnswer> {
  if (path === "/readyz") await health.refresh();
  const status = path === "/healthz" ? health.liveness() : await health.status();
  const body = path === "/healthz" ? { status } : { status, draining: health.draining, parts: health.report() };
  return {
    status: status === "SERVING" ? 200 : 503,
    contentType: "application/json",
    body: `${JSON.stringify(body)}\n`,
  };
}
