import { createRequire } from "node:module";
import { join } from "node:path";

/** A package as it is installed in the folder of the competitors. Its types are there only too, so the caller says what it uses of it. */
export function fromCompetitors(folder: string, name: string): unknown {
  return createRequire(join(folder, "package.json"))(name);
}
