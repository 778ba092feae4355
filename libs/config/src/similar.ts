/** Returns the closest of `names` to a misspelt `name`, or undefined if none is close. */
export function similar(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  // Up to a third of the letters, and at most three, may be wrong.
  let least = Math.min(3, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    if (name.length > 100 || Math.abs(candidate.length - name.length) >= least) continue;
    const steps = distance(name.toLowerCase(), candidate.toLowerCase());
    if (steps < least) [best, least] = [candidate, steps];
  }
  return best;
}

/** Returns the Levenshtein distance, with a swap of two neighbours (`databsae`) as one step. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let steps = Math.min(replaced, at(last, j) + 1, at(row, j - 1) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        steps = Math.min(steps, at(before, j - 2) + 1);
      row.push(steps);
    }
    [before, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
