import type { KubeObject } from "@plumbline/kube";

/** The kinds of objects that the operator makes. */
export const owned: Readonly<Record<string, { readonly apiVersion: string; readonly plural: string }>> = {
  ServiceAccount: { apiVersion: "v1", plural: "serviceaccounts" },
  Role: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "roles" },
  RoleBinding: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "rolebindings" },
  Service: { apiVersion: "v1", plural: "services" },
  PodDisruptionBudget: { apiVersion: "policy/v1", plural: "poddisruptionbudgets" },
  Deployment: { apiVersion: "apps/v1", plural: "deployments" },
  NetworkPolicy: { apiVersion: "networking.k8s.io/v1", plural: "networkpolicies" },
  HorizontalPodAutoscaler: { apiVersion: "autoscaling/v2", plural: "horizontalpodautoscalers" },
};

/** The objects of a kind in a namespace, by name. */
export type Objects = ReadonlyMap<string, KubeObject>;

/** Returns the objects of a kind that were seen last. */
export type Look = (kind: string, namespace: string) => Objects;

interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

/** Returns the controller of an object. */
export function ownerOf({ metadata }: KubeObject): Owner | undefined {
  const { ownerReferences = [] } = metadata as { readonly ownerReferences?: readonly Owner[] };
  return ownerReferences.find(({ controller: isController }) => isController === true);
}
