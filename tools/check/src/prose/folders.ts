/** The folders that are not yet held to the rules. A folder leaves the list when it is clean. */
export const notDone: readonly string[] = [
  ".",
  ".ci",
  "apps/gateway",
  "apps/greeter",
  "apps/greeter-go",
  "apps/orders",
  "apps/worker",
  "config",
  "deploy/compose",
  "deploy/load",
  "deploy/observability",
  "docs",
  "e2e",
  "libs/concurrency",
  "libs/config",
  "libs/contracts",
  "libs/errors",
  "libs/http2",
  "libs/lifecycle",
  "libs/messaging",
  "libs/postgres",
  "libs/rpc",
  "libs/telemetry",
  "protos/fulfilment",
  "protos/greeter",
  "protos/orders",
  "tools",
  "tools/bench",
  "tools/boundaries",
  "tools/build",
  "tools/chaos",
  "tools/containers",
  "tools/crash",
  "tools/demo",
  "tools/dev",
  "tools/engines",
  "tools/events",
  "tools/go",
  "tools/load",
  "tools/lockfile",
  "tools/peers",
  "tools/settings",
  "tools/supplier",
  "tools/testing",
];

/** Returns the folder that a file counts for: `apps/orders`, `docs`, `.` for a file of the root. */
export function folderOf(path: string): string {
  const [first = "", second = "", third] = path.split("/");
  if (second === "") return ".";
  return third !== undefined && /^(?:apps|libs|tools|tests|protos|deploy)$/.test(first) ? `${first}/${second}` : first;
}
