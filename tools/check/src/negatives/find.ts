import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const tag = /\(negatives? (\d+(?:, \d+)*)\)/;

/** The end of the names of the tests that print who gets what from each RPC. */
export const matrixTag = "(access matrix)";

/** Returns the numbers of the negative cases that a test's name has. */
export function negativesOf(name: string): readonly number[] {
  return tag.exec(name)?.[1]?.split(", ").map(Number) ?? [];
}

/** Returns the test files below `root` with such names, of their own or in a suite they import. */
export function filesWithNegatives(root: string): readonly string[] {
  const texts = new Map<string, string>();
  const textOf = (file: string): string => {
    let text = texts.get(file);
    if (text === undefined) {
      text = existsSync(file) ? readFileSync(file, "utf8") : "";
      texts.set(file, text);
    }
    return text;
  };
  const has = (file: string, seen: Set<string>): boolean => {
    if (seen.has(file)) return false;
    seen.add(file);
    const text = textOf(file);
    if (/\(negatives? [\d$]/.test(text)) return true;
    const imports = text.matchAll(/from "(\.[^"]+\.ts)"/g);
    return [...imports].some(([, path = ""]) => has(join(dirname(file), path), seen));
  };
  return globSync("{apps,libs,tests}/*/{src,test}/**/*.test.ts", { cwd: root })
    .filter((file) => has(join(root, file), new Set()))
    .toSorted();
}
