import { createRequire } from "node:module";
import { join } from "node:path";

/**
 * Loads a package from the folder of the competitors. Its types are only there, so the caller
 * states the part that it uses.
 */
export function fromCompetitors(folder: string, name: string): unknown {
  return createRequire(join(folder, "package.json"))(name);
}
