export { type Access, inCluster, kubeconfig, type ReadAccess } from "./access.ts";
export {
  type ApplyOptions,
  conflict,
  type DeleteOptions,
  Kube,
  type KubeObject,
  type KubeOptions,
  type Resource,
  resourceOf,
} from "./kube.ts";
export { acquireLease, type Leadership, type LeaseOptions } from "./leader.ts";
export { type EventSource, type ObjectEvent, recordEvent } from "./record-event.ts";
export { kubernetesResolver } from "./resolver.ts";
export { watchObjects } from "./watch-objects.ts";
