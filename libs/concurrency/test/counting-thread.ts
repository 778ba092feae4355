import { workerData } from "node:worker_threads";

/** The cells that the threads share: [sum, running now, most at once]. */
const cells = new Int32Array((workerData as { shared: SharedArrayBuffer }).shared);
const [sum, running, most] = [0, 1, 2];

// Counts the running threads and keeps the most. The second needs compare-and-exchange, since
// others write too.
const here = Atomics.add(cells, running, 1) + 1;
let known = Atomics.load(cells, most);
while (known < here) {
  const found = Atomics.compareExchange(cells, most, known, here);
  if (found === known) break;
  known = found;
}
for (let i = 0; i < (workerData as { rounds: number }).rounds; i++) Atomics.add(cells, sum, 1);
Atomics.sub(cells, running, 1);
