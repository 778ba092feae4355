/**
 * The command of an image's HEALTHCHECK. It requests PROBE_URL, by default the readiness of the app
 * in this container, and exits with 0 if the status is 200. After any other status, an error or two
 * seconds it exits with 1 and prints the reason, which `docker inspect` shows. The image has no
 * curl.
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
