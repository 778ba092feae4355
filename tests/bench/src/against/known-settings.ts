/** Returns the names of all settings, as variables, by the table of settings of a checkout. */
export function knownSettings(table: string): ReadonlySet<string> {
  const names = [...table.matchAll(/^\| `([A-Z][A-Z0-9_]*)` \|/gm)].map(([, name = ""]) => name);
  if (names.length === 0) throw new Error("docs/settings.md of the checkout lists no settings");
  return new Set(names);
}

/**
 * Returns the environment without settings that the checkout does not know: a service refuses to
 * start with them. Variables of other prefixes than those of its settings stay.
 */
export function onlyKnown(
  environment: Readonly<Record<string, string>>,
  known: ReadonlySet<string>,
): Record<string, string> {
  const prefixes = new Set([...known].map(prefixOf));
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => known.has(name) || !prefixes.has(prefixOf(name))),
  );
}

function prefixOf(name: string): string {
  return name.slice(0, name.indexOf("_") + 1);
}
