/** The documents of the services, as etcd has them under `npm start -- --etcd`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ownServices } from "../services.ts";

/**
 * Returns the documents of the folder config/ by the keys that the services read: settings in
 * plumbline/config/, feature flags in plumbline/flags/.
 */
export function documentsOf(root: string): ReadonlyMap<string, string> {
  const files = ownServices.flatMap(({ name }) => [
    [`plumbline/config/${name}.yaml`, `config/${name}.yaml`] as const,
    [`plumbline/flags/${name}.json`, `config/${name}.flags.json`] as const,
  ]);
  return new Map(
    files
      .filter(([, file]) => existsSync(join(root, file)))
      .map(([key, file]) => [key, readFileSync(join(root, file), "utf8")]),
  );
}
