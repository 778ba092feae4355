/**
 * What an image's HEALTHCHECK runs: asks PROBE_URL, by default the readiness of the app in this container, and ends
 * with 0 when the answer is 200. Anything else, and silence for two seconds, is 1 with the reason, which
 * `docker inspect` keeps. There is no curl in the image, and no shell to run it.
 */
const url = process.env["PROBE_URL"] ?? "http://127.0.0.1:9464/readyz";

try {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  const text = await response.text();
  if (response.status !== 200) {
    console.error(`${url} answered ${response.status}: ${text.slice(0, 500)}`);
    process.exitCode = 1;
  }
} catch (error) {
  const { message, cause } = error as Error;
  console.error(`${url} did not answer: ${cause instanceof Error ? cause.message : message}`);
  process.exitCode = 1;
}
