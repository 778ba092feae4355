import type { Telemetry } from "@plumbline/telemetry";
import type { TlsFailure } from "./listener.ts";

/**
 * Counts failed connections. Anyone who can reach the port can cause them, so each is a line at
 * `debug` only. Invalid certificates of our own are an error.
 */
export function tlsFailures({ metrics, logger }: Pick<Telemetry, "metrics" | "logger">): (failure: TlsFailure) => void {
  const failures = metrics.counter("rpc_server_tls_failures_total", "TLS handshakes that failed, by reason.", [
    "reason",
  ]);
  return ({ reason, error, peer }) => {
    failures.inc({ reason });
    if (reason === "options") logger.error("new certificates are invalid; keeping the last valid ones", error);
    else logger.debug("TLS handshake failed", { reason, peer, detail: error.message });
  };
}
