import type { KubeObject } from "@plumbline/kube";
import { agentPort } from "../agent/contract.ts";
import type { BackendService } from "../resource/backend-service.ts";
import { agentSecrets } from "./secret-agent.ts";

const nameLabel = "app.kubernetes.io/name";

/** The API server's ports: that of its Service, and the usual one behind it. */
const apiPorts = [443, 6_443];

/**
 * Returns the policy of a resource that says who calls it and what it calls: nothing else goes in
 * or out. It also allows what the operator's own parts need. The kubelet's probes always pass.
 */
export function networkPolicy(
  resource: BackendService,
  pods: Readonly<Record<string, string>>,
  metadata: KubeObject["metadata"],
): readonly KubeObject[] {
  const { network, ports, tracing } = resource.spec;
  if (network === undefined) return [];
  const hasAgent = agentSecrets(resource).length > 0;
  const service = ports.grpc ?? ports.http ?? 0;
  const callers = network.from?.map((program) => podsOf(program));
  return [
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata,
      spec: {
        podSelector: { matchLabels: pods },
        policyTypes: ["Ingress", "Egress"],
        ingress: [
          // An empty list of peers would mean all of them.
          ...(callers?.length === 0 ? [] : [{ ports: tcp(service), ...(callers !== undefined && { from: callers }) }]),
          { ports: tcp(ports.ops) },
          ...(hasAgent ? [{ ports: tcp(agentPort), from: [{ namespaceSelector: {}, ...podsOf("operator") }] }] : []),
        ],
        egress: [
          {
            ports: [
              { protocol: "UDP", port: 53 },
              { protocol: "TCP", port: 53 },
            ],
          },
          ...(network.to ?? []).map(({ program, cidr, port }) => ({
            ports: tcp(port),
            ...(program !== undefined && { to: [podsOf(program)] }),
            ...(cidr !== undefined && { to: [{ ipBlock: { cidr } }] }),
          })),
          ...(tracing === undefined ? [] : [{ ports: tcp(portOf(tracing.collector)) }]),
          ...(hasAgent ? [{ ports: tcp(...apiPorts) }] : []),
        ],
      },
    },
  ];
}

function podsOf(program: string) {
  return { podSelector: { matchLabels: { [nameLabel]: program } } };
}

function tcp(...ports: readonly number[]) {
  return ports.map((port) => ({ protocol: "TCP", port }));
}

function portOf(address: string): number {
  const { port, protocol } = new URL(address);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}
