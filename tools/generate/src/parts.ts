/** The optional parts of a service, in the order in which their files are laid over each other. */
const parts = ["postgres", "events"] as const;
export type Part = (typeof parts)[number];

/** Returns the parts that a list names. Throws for one that is unknown. */
export function partsOf(list: string): readonly Part[] {
  const given = list.split(/[\s,]+/).filter((part) => part !== "");
  const unknown = given.filter((part) => !(parts as readonly string[]).includes(part));
  if (unknown.length > 0) throw new Error(`--with takes ${parts.join(", ")}, not ${unknown.join(", ")}`);
  // Events are stored with the change that they report, so they need the database.
  return given.includes("events") ? parts : parts.filter((part) => given.includes(part));
}
