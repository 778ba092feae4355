/** The Ingress with TLS: a certificate of its own, and requests by the name in it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { retry } from "@plumbline/concurrency";
import type { ClusterStack } from "./open-cluster.ts";
import type { Report } from "./report.ts";

const host = "plumbline.test";
const secret = "gateway-tls";
const requestMs = 10_000;

/** Returns the arguments of helm for an Ingress with TLS for that name. */
export const tlsValues: readonly string[] = ["--set", `ingress.hosts={${host}},ingress.tls.secretName=${secret}`];

/** Adds rows: the Ingress shows the certificate of its Secret, and leads to the gateway. */
export async function checkTls(stack: ClusterStack, report: Report): Promise<void> {
  const certificate = await putCertificate(stack);
  const address = await stack.kubectl("get", "service", "traefik", "--output", "jsonpath={.spec.clusterIP}");
  // Traefik reads the Secret a moment after it is there, and shows another certificate until then.
  const policy = { attempts: 40, baseMs: 250, maxMs: 1_000, retryable: () => true };
  const status = await retry(() => ask(address, certificate, host), policy).catch(String);
  report.check("Ingress with TLS: a request by the name", `${status}`, "200", status === 200);
  const refused = await ask(address, undefined, host).catch((error: NodeJS.ErrnoException) => error.code ?? "");
  report.check(
    "Ingress with TLS: without the authority",
    `${refused}`,
    "refused",
    typeof refused === "string" && /SELF_SIGNED|VERIFY|UNABLE/.test(refused),
  );
  const other = await ask(address, certificate, "elsewhere.test").catch(
    (error: NodeJS.ErrnoException) => error.code ?? "",
  );
  report.check("Ingress with TLS: another name", `${other}`, "refused", other !== 200);
}

/** Writes a Secret with a new certificate, and returns the certificate in PEM. */
async function putCertificate(stack: ClusterStack): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-tls-"));
  try {
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const subject = ["-days", "2", "-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`];
    const pair = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key];
    execFileSync("openssl", ["req", "-x509", ...pair, ...subject, "-out", certificate], { stdio: "ignore" });
    await stack.kubectl("create", "secret", "tls", secret, `--cert=${certificate}`, `--key=${key}`);
    return readFileSync(certificate, "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Returns the status of a greeting. Rejects if the certificate is not the right one. */
async function ask(address: string, ca: string | undefined, name: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const options = { host: address, servername: name, headers: { host: name }, path: "/v1/greetings/world" };
  const sent = request({
    ...options,
    agent: false,
    signal: AbortSignal.timeout(requestMs),
    ...(ca !== undefined && { ca }),
  });
  sent.on("error", reject).on("response", (response) => {
    text(response).then(() => resolve(response.statusCode ?? 0), reject);
  });
  sent.end();
  return await promise;
}
