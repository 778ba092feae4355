/** The Ingress with TLS: a certificate of its own, and requests by the name in it. */
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { retry } from "@plumbline/concurrency";
import { newAuthority } from "@plumbline/tools-engines";
import type { ClusterStack } from "./open-cluster.ts";
import type { Report } from "./report.ts";

const host = "plumbline.test";
const secret = "gateway-tls";
const requestMs = 10_000;

/** Returns the arguments of helm for an Ingress with TLS for that name. */
export const tlsValues: readonly string[] = ["--set", `ingress.hosts={${host}},ingress.tls.secretName=${secret}`];

/** Adds rows: the Ingress shows the certificate of its Secret, and leads to the gateway. */
export async function checkTls(stack: ClusterStack, report: Report): Promise<void> {
  const authority = await putCertificate(stack);
  const address = await stack.kubectl("get", "service", "traefik", "--output", "jsonpath={.spec.clusterIP}");
  // Traefik reads the Secret a moment after it is there, and shows another certificate until then.
  const policy = { attempts: 40, baseMs: 250, maxMs: 1_000, retryable: () => true };
  const status = await retry(() => ask(address, authority, host), policy).catch(String);
  report.check("Ingress with TLS: a request by the name", `${status}`, "200", status === 200);
  const refused = await ask(address, undefined, host).catch((error: NodeJS.ErrnoException) => error.code ?? "");
  report.check(
    "Ingress with TLS: without the authority",
    `${refused}`,
    "refused",
    typeof refused === "string" && /SELF_SIGNED|VERIFY|UNABLE/.test(refused),
  );
  const other = await ask(address, authority, "elsewhere.test").catch(
    (error: NodeJS.ErrnoException) => error.code ?? "",
  );
  report.check("Ingress with TLS: another name", `${other}`, "refused", other !== 200);
}

/** Writes a Secret with a new certificate, and returns its authority in PEM. */
async function putCertificate(stack: ClusterStack): Promise<string> {
  const authority = newAuthority("Plumbline development");
  const { certificate, key } = authority.issue({ name: host, dnsNames: [host] });
  await stack.create(`/api/v1/namespaces/${stack.namespace}/secrets`, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: secret },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": certificate, "tls.key": key },
  });
  return authority.certificate;
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
