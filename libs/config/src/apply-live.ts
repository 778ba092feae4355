import { freeze } from "./frozen.ts";
import { isSame } from "./is-same.ts";
import type { Config } from "./load-config.ts";
import { type Schema, shapeOf } from "./settings.ts";

/** A configuration after a change of its sources. */
export interface Applied<S extends Schema> {
  /** The running configuration with the changed values of live settings. */
  readonly config: Config<S>;
  /** The keys of changed settings that are live. */
  readonly changed: readonly string[];
  /** The keys of changed settings that are not live: they take effect after a restart. */
  readonly needRestart: readonly string[];
}

/** Applies the live settings of `changed` to the running configuration of a process. */
export function applyLive<S extends Schema>(schema: S, running: Config<S>, changed: Config<S>): Applied<S> {
  let config: unknown = running;
  const changedKeys: string[] = [];
  const needRestart: string[] = [];
  for (const { path, key, live } of shapeOf(schema).settings) {
    const value = valueAt(changed, path);
    if (isSame(valueAt(running, path), value)) continue;
    (live ? changedKeys : needRestart).push(key);
    if (live) config = withValue(config, path, value);
  }
  return { config: freeze(config) as Config<S>, changed: changedKeys, needRestart };
}

type Section = Readonly<Record<string, unknown>>;

function valueAt(config: unknown, path: readonly string[]): unknown {
  return path.reduce((section, name) => (section as Section | undefined)?.[name], config);
}

/** Returns a copy with the value. Only the sections on its path are copied. */
function withValue(section: unknown, [name = "", ...rest]: readonly string[], value: unknown): unknown {
  const { [name]: old, ...others } = (section ?? {}) as Section;
  const next = rest.length === 0 ? value : withValue(old, rest, value);
  return next === undefined ? others : { ...others, [name]: next };
}
