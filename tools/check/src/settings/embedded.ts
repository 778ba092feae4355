import { databases, defaultPorts, programs } from "@plumbline/tools-stack";
import type { Started } from "./started.ts";

/** The services as `npm start` starts them, with each of the adapters that carry events. */
export function embeddedServices(): readonly Started[] {
  const urls = Object.fromEntries(databases.map((name) => [name, `postgresql://${name}@127.0.0.1/${name}`]));
  return (["postgres", "kafka"] as const).flatMap((adapter) =>
    programs(defaultPorts, urls as Record<(typeof databases)[number], string>, { adapter })
      .filter(({ entry }) => !entry.startsWith("apps/supplier/"))
      .map(({ name, environment }) => ({
        where: `${name} in tools/stack/src/processes/stack.ts (${adapter})`,
        app: name,
        environment,
      })),
  );
}
