/**
 * `npm start` uses the first. Docker gives a gateway any port in the range of docker-compose.yml.
 */
const ports = [8080, 8081, 8082, 8083, 8084, 8085, 8086, 8087, 8088, 8089];

/** Returns the address of the first ready gateway on this machine. Throws if there is none. */
export async function findGateway(candidates: readonly number[] = ports): Promise<string> {
  for (const port of candidates) {
    const base = `http://localhost:${port}`;
    const ready = await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
      async (response) => (await response.text(), response.ok),
      () => false,
    );
    if (ready) return base;
  }
  throw new Error(
    `no gateway is ready at localhost:${candidates[0]} to ${candidates.at(-1)}: name its address with --url`,
  );
}
