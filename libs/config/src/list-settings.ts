import { environmentName } from "./environment-name.ts";
import { type Schema, type Setting, shapeOf } from "./settings.ts";

/** A row of a settings table. */
export type SettingRow = Omit<Setting, "path" | "types" | "itemTypes"> & {
  /** The environment variable. With the suffix `_FILE` it names a file with the value. */
  readonly env: string;
  /** True for a list, which is written as `a, b` in a variable. */
  readonly isList: boolean;
};

/** Returns every setting of `schema`, in its order, to generate a table of settings. */
export function listSettings(schema: Schema, prefix: string): readonly SettingRow[] {
  return shapeOf(schema).settings.map((setting) => {
    const { types, itemTypes: _, path, ...row } = setting;
    return { ...row, env: environmentName(prefix, path), isList: types.includes("array") };
  });
}
