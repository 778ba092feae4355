import { globSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Schema } from "@plumbline/config";

/** A service and the schema of its settings. */
export interface Service {
  readonly name: string;
  readonly schema: Schema;
}

/**
 * Returns every app of `root` that has a `src/config.ts`, by name. They are found and not listed,
 * so that no app can be forgotten. Throws for one that does not export its schema under its name,
 * `ControlPlaneConfig` for control-plane.
 */
export async function findServices(root: string): Promise<readonly Service[]> {
  const files = globSync("apps/*/src/config.ts", { cwd: root }).toSorted();
  return await Promise.all(
    files.map(async (file) => {
      const name = basename(resolve(root, file, "../.."));
      const exported = configName(name);
      const module: Readonly<Record<string, unknown>> = await import(pathToFileURL(join(root, file)).href);
      const schema = module[exported];
      if (schema === undefined) throw new Error(`${file} must export the schema of its settings as ${exported}`);
      return { name, schema: schema as Schema };
    }),
  );
}

/** Returns the name of a service's schema: `ControlPlaneConfig` for control-plane. */
export function configName(service: string): string {
  return `${service.replaceAll(/(?:^|-)(\w)/g, (_, first: string) => first.toUpperCase())}Config`;
}
