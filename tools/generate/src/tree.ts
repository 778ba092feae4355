/** The part of Nx's Tree that is used here: the files of the workspace, changed in memory. */
export interface Tree {
  readonly root: string;
  exists(path: string): boolean;
  read(path: string, encoding: "utf8"): string | null;
  write(path: string, content: string): void;
  children(folder: string): string[];
}

/** Replaces the text of a file. Throws if the file is missing or `change` changes nothing. */
export function edit(tree: Tree, path: string, change: (text: string) => string): void {
  const before = tree.read(path, "utf8");
  if (before === null) throw new Error(`${path} is missing`);
  const after = change(before);
  if (after === before) throw new Error(`${path} has no place for the new service: was it restructured?`);
  tree.write(path, after);
}

/** Inserts lines after the last line that matches. Returns the text unchanged if none does. */
export function insertAfterLast(text: string, line: RegExp, lines: readonly string[]): string {
  const all = text.split("\n");
  const at = all.findLastIndex((one) => line.test(one));
  return at < 0 ? text : all.toSpliced(at + 1, 0, ...lines).join("\n");
}

/** Inserts lines before the first line that matches. Returns the text unchanged if none does. */
export function insertBefore(text: string, line: RegExp, lines: readonly string[]): string {
  const all = text.split("\n");
  const at = all.findIndex((one) => line.test(one));
  return at < 0 ? text : all.toSpliced(at, 0, ...lines).join("\n");
}
