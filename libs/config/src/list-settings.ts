import { environmentName } from "./environment-name.ts";
import { type Schema, type Setting, shapeOf } from "./settings.ts";

/** One row of a settings table. */
export type SettingRow = Omit<Setting, "path" | "types"> & {
  /** The environment variable. With `_FILE` behind it, the variable names a file that holds the value. */
  readonly env: string;
  /** Written as `a, b` in a variable. */
  readonly isList: boolean;
};

/** Every setting of `schema`, in its order: what a table of settings is generated from. */
export function listSettings(schema: Schema, prefix: string): readonly SettingRow[] {
  return shapeOf(schema).settings.map(({ types, path, ...row }) => ({
    ...row,
    env: environmentName(prefix, path),
    isList: types.includes("array"),
  }));
}
