/**
 * The arrows inside a service: domain <- use-cases <- adapters <- app.ts <- main.ts. Folders named
 * for a role are inside, folders named for a technology around them. Two technologies meet in
 * app.ts or main.ts only.
 */
import { posix } from "node:path";

const ranks: Readonly<Record<string, number>> = { domain: 0, "use-cases": 1, fulfil: 1, label: 1 };
const adapters: readonly string[] = ["rpc", "events", "postgres", "memory"];
const adapterRank = 2;
const roots: Readonly<Record<string, number>> = { "app.ts": 3, "migrate.ts": 4, "main.ts": 4 };

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
  const parts = path.split("/");
  const first = parts[0] as string;
  if (parts.length === 1) return { folder: "", rank: roots[first] ?? adapterRank - 0.5 };
  if (adapters.includes(first)) return { folder: first, rank: adapterRank };
  return { folder: first, rank: ranks[first] ?? adapterRank };
}
