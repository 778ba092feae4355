/** The folders that are not yet held to the rules. A folder leaves the list when it is clean. */
export const notDone: readonly string[] = [];

/** Returns the folder that a file counts for: `apps/orders`, `docs`, `.` for a file of the root. */
export function folderOf(path: string): string {
  const [first = "", second = "", third] = path.split("/");
  if (second === "") return ".";
  return third !== undefined && /^(?:apps|libs|tools|tests|protos|deploy)$/.test(first) ? `${first}/${second}` : first;
}
