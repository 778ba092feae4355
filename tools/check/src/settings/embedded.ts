import { databases, defaultPorts, programs, serviceRow } from "@plumbline/tools-stack";
import type { Started } from "./started.ts";

/** Returns the services as `npm start` starts them, with each of the adapters that carry events. */
export function embeddedServices(): readonly Started[] {
  const urls = Object.fromEntries(databases.map((name) => [name, `postgresql://${name}@127.0.0.1/${name}`]));
  const etcdUrl = `http://127.0.0.1:${defaultPorts.etcd}`;
  return (["postgres", "kafka"] as const).flatMap((adapter) =>
    programs(defaultPorts, urls as Record<(typeof databases)[number], string>, {
      adapter,
      etcdUrl,
      tokens: "tokens",
      certificates: "certificates",
    })
      .filter(({ service }) => serviceRow(service).standIn !== true)
      .map(({ name, environment }) => ({
        where: `${name} in the embedded stack (${adapter})`,
        app: name,
        environment,
      })),
  );
}
