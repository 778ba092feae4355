import { workerData } from "node:worker_threads";

const { shared, atomic } = workerData as { shared: SharedArrayBuffer; atomic: boolean };
const cells = new Int32Array(shared);
const [sum, arrived] = [0, 1];

if (atomic) Atomics.add(cells, sum, 1);
else {
  // `cells[sum]++` in slow motion: both threads read before either writes.
  const read = cells[sum] ?? 0;
  Atomics.add(cells, arrived, 1);
  Atomics.notify(cells, arrived);
  if (Atomics.load(cells, arrived) < 2) Atomics.wait(cells, arrived, 1, 10_000);
  cells[sum] = read + 1;
}
