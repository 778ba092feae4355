import * as prom from "prom-client";

let registry: prom.Registry | undefined;

/**
 * CPU, memory, file descriptors, event loop lag and garbage collection of this process. One registry for all: they
 * describe the process, and prom-client's observers cannot be taken down, so a second set would only leak.
 */
export function processMetrics(): prom.Registry {
  if (registry === undefined) {
    registry = new prom.Registry();
    prom.collectDefaultMetrics({ register: registry });
  }
  return registry;
}
