/**
 * The arrows inside a service: domain <- use-cases <- adapters <- app.ts <- main.ts. The two rooms
 * inside are named for a role. Every other room is an adapter, named for what it adapts: rpc,
 * postgres, suppliers. Two adapters meet in app.ts or main.ts only.
 */
import { posix } from "node:path";

/**
 * The rooms and root files of a service from the inside out. Rooms that are not listed are
 * adapters.
 */
const ranks: Readonly<Record<string, number>> = { domain: 0, "use-cases": 1, "app.ts": 3, "main.ts": 4 };
const adapterRank = 2;
/** Settings and event messages: adapters may read them, and they read the use cases. */
const otherRootFileRank = 1.5;

/**
 * Returns the problems of one source file. `path` is relative to the service's `src`, with forward
 * slashes. The domain and the use cases get values as arguments; all other files may read settings
 * (`config.ts`).
 */
export function checkFile(path: string, text: string): string[] {
  const from = placeOf(path);
  const problems: string[] = [];
  for (const specifier of importsOf(text)) {
    if (!specifier.startsWith(".")) {
      if (from.folder === "domain" && specifier !== "@plumbline/contracts/bounds") {
        problems.push(`${path} imports ${specifier}: the domain imports nothing but the contracts' bounds`);
      }
      continue;
    }
    const target = posix.normalize(posix.join(posix.dirname(path), specifier));
    const to = placeOf(target);
    if (from.folder === to.folder && from.folder !== "") continue;
    if (to.rank > from.rank) problems.push(`${path} imports ${target}: the arrow points the other way`);
    else if (from.rank === adapterRank && to.rank === adapterRank) {
      problems.push(`${path} imports ${target}: adapters meet in app.ts or main.ts`);
    }
  }
  return problems;
}

/**
 * Returns every module that the text imports, statically or not. Source is formatted, so one
 * pattern reads all forms.
 */
function importsOf(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm)].map(
    (match) => (match[1] ?? match[2] ?? match[3]) as string,
  );
}

function placeOf(path: string): { folder: string; rank: number } {
  const [first = "", ...rest] = path.split("/");
  if (rest.length === 0) return { folder: "", rank: ranks[first] ?? otherRootFileRank };
  return { folder: first, rank: ranks[first] ?? adapterRank };
}
