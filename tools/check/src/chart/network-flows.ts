/** The flows that rendered NetworkPolicies allow, by the rules of Kubernetes. */
import type { KubeObject } from "./render.ts";

/** A pod, or an address outside of the cluster if it has no namespace. */
export interface Peer {
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Flow {
  readonly from: Peer;
  readonly to: Peer;
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
}

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: unknown;
}

interface PolicyPeer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: unknown;
}

interface Rule {
  readonly ports?: readonly { readonly protocol?: string; readonly port?: number | string }[];
  readonly from?: readonly PolicyPeer[];
  readonly to?: readonly PolicyPeer[];
}

interface Policy {
  readonly podSelector: Selector;
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

/**
 * Returns true if policies of `namespace` allow a flow: both its source and its destination. A pod
 * that no policy of a direction selects may do everything in it. Throws where a policy uses what
 * this does not know.
 */
export function allows(objects: readonly KubeObject[], namespace: string, flow: Flow): boolean {
  const policies = objects
    .filter(({ kind }) => kind === "NetworkPolicy")
    .map(({ spec }) => spec as unknown as Policy | undefined)
    .filter((policy) => policy !== undefined);
  const open = (direction: "Ingress" | "Egress", subject: Peer, other: Peer) => {
    if (subject.namespace !== namespace) return true;
    const selecting = policies.filter(
      ({ podSelector, policyTypes }) => policyTypes.includes(direction) && selects(podSelector, subject.labels),
    );
    if (selecting.length === 0) return true;
    return selecting.some((policy) => {
      const rules = (direction === "Ingress" ? policy.ingress : policy.egress) ?? [];
      return rules.some((rule) => {
        const peers = (direction === "Ingress" ? rule.from : rule.to) ?? [];
        return hasPort(rule, flow) && (peers.length === 0 || peers.some((peer) => isPeer(peer, other, namespace)));
      });
    });
  };
  return open("Egress", flow.from, flow.to) && open("Ingress", flow.to, flow.from);
}

function hasPort({ ports }: Rule, { port, protocol }: Flow): boolean {
  if (ports === undefined || ports.length === 0) return true;
  return ports.some((one) => {
    if (typeof one.port === "string") throw new Error(`the named port ${one.port} of a policy is not evaluated`);
    return (one.protocol ?? "TCP") === protocol && (one.port === undefined || one.port === port);
  });
}

function isPeer({ podSelector, namespaceSelector, ipBlock }: PolicyPeer, other: Peer, namespace: string): boolean {
  if (ipBlock !== undefined) throw new Error("the ipBlock of a policy is not evaluated");
  // A selector selects pods, and never an address outside of the cluster.
  if (other.namespace === undefined) return false;
  const isNamespace =
    namespaceSelector === undefined
      ? other.namespace === namespace
      : selects(namespaceSelector, { "kubernetes.io/metadata.name": other.namespace });
  return isNamespace && (podSelector === undefined || selects(podSelector, other.labels));
}

function selects({ matchLabels = {}, matchExpressions }: Selector, labels: Peer["labels"]): boolean {
  if (matchExpressions !== undefined) throw new Error("the matchExpressions of a policy are not evaluated");
  return Object.entries(matchLabels).every(([name, value]) => labels[name] === value);
}
