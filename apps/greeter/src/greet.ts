import { ServiceError } from "@plumbline/errors";

const longest = 100;

/** Says hello. Throws `invalid_argument` for a name that is empty or longer than 100 characters. */
export function greet(name: string): string {
  // Counts code points, since an emoji is two of JavaScript's units. Cuts first, so that a huge
  // name costs little.
  const { length } = Array.from(name.slice(0, 2 * longest + 1));
  if (length < 1 || length > longest) {
    throw new ServiceError("invalid_argument", "the name cannot be greeted", {
      violations: [{ field: "name", description: `must have 1 to ${longest} characters` }],
    });
  }
  return `Hello ${name}`;
}
