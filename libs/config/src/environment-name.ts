/**
 * Returns the variable of a setting: `["http", "drainMs"]` under ORDERS is ORDERS_HTTP_DRAIN_MS.
 */
export function environmentName(prefix: string, path: readonly string[]): string {
  return [prefix, ...path.map(upperSnake)].join("_");
}

/** Returns the prefix of a service's variables: CONTROL_PLANE for control-plane. */
export function settingsPrefix(service: string): string {
  return upperSnake(service);
}

/**
 * Converts to upper snake case: `drainMs` to DRAIN_MS, `otlpURL` to OTLP_URL, `greeter-go` to
 * GREETER_GO.
 */
export function upperSnake(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .toUpperCase();
}
