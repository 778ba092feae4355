import type { SavedImage } from "./saved-images.ts";
import { table } from "./table.ts";

const megabyte = 1_000_000;

export interface SizeTargets {
  /** Bytes of one app's own layers. */
  readonly own: number;
  /** Bytes of the services together, what they share counted once. */
  readonly together: number;
}

export const sizeTargets: SizeTargets = { own: 3 * megabyte, together: 80 * megabyte };

export interface SizeReport {
  readonly text: string;
  readonly ok: boolean;
}

/**
 * What each image adds to what all of them share. `counted` says which services the total is for.
 */
export function sizeReport(
  images: ReadonlyMap<string, SavedImage>,
  counted: ReadonlySet<string>,
  targets: SizeTargets = sizeTargets,
): SizeReport {
  const [first, ...others] = images.values();
  const shared = (first?.layers ?? []).filter(({ id }) =>
    others.every(({ layers }) => layers.some((layer) => layer.id === id)),
  );
  const base = sum(shared.map(({ compressed }) => compressed));
  const own = new Map([...images].map(([name, image]) => [name, sum(image.layers.map((l) => l.compressed)) - base]));
  const together = base + sum([...counted].map((name) => own.get(name) ?? 0));
  const rows = [...own].map(([name, bytes]) => [
    name,
    mb(bytes),
    bytes < targets.own ? "" : `MISSED: own layer < ${mb(targets.own)}`,
  ]);
  const ok = together < targets.together && [...own.values()].every((bytes) => bytes < targets.own);
  const names = [...counted].join(", ");
  const text = table(
    ["image", "compressed", ""],
    [
      ["shared by all", mb(base), ""],
      ...rows,
      [`together: ${names}`, mb(together), together < targets.together ? "" : `MISSED: < ${mb(targets.together)}`],
    ],
  );
  return { text, ok };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, next) => total + next, 0);
}

function mb(bytes: number): string {
  return `${(bytes / megabyte).toFixed(2)} MB`;
}
