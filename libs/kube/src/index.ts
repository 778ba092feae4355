export { type Access, inCluster, kubeconfig, type ReadAccess } from "./access.ts";
export { Kube, type KubeObject, type KubeOptions, type Resource } from "./kube.ts";
export { kubernetesResolver } from "./resolver.ts";
export { watchObjects } from "./watch-objects.ts";
