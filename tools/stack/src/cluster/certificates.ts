/** Certificates of the services on the test cluster, as cert-manager would write them. */
import { newAuthority } from "@plumbline/tools-engines";
import { identityOf } from "../processes/certificates.ts";
import { ownServices } from "../services.ts";
import { release } from "./charts.ts";

/**
 * Returns a Secret for each service: a certificate of an authority that is new each time, with the
 * service's SPIFFE id and the names of its Service, by which gateways before `upstreamIds` know it
 * in an upgrade. The authority's key is kept nowhere.
 */
export function certificateSecrets(namespace: string) {
  const authority = newAuthority("Plumbline development");
  return ownServices.map((row) => {
    const name = `${release}-${row.name}`;
    const dnsNames = ["", `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`].map(
      (end) => name + end,
    );
    const { certificate, key } = authority.issue({ name, uris: [identityOf(name)], dnsNames });
    const stringData = { "tls.crt": certificate, "tls.key": key, "ca.crt": authority.certificate };
    return {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: `${name}-tls`, namespace },
      type: "kubernetes.io/tls",
      stringData,
    };
  });
}
