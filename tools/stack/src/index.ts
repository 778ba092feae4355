/**
 * The running system behind one port, `Stack`, with adapters for processes, docker compose and
 * Kubernetes.
 */
export { settingsPrefix } from "@plumbline/config";
export { type ClusterStack, openCluster } from "./cluster/open-cluster.ts";
export { findProgram, toolFolder } from "./cluster/programs.ts";
export { type Reach, reachCluster, testCluster } from "./cluster/reach.ts";
export { builtImages, type Container, containers } from "./compose/compose.ts";
export { docker } from "./compose/docker.ts";
export { endReport } from "./compose/end-report.ts";
export { parseBytes } from "./compose/memory-report.ts";
export { type ComposeStack, openCompose, runtimeImage, whyNoCompose } from "./compose/open-compose.ts";
export { sizes } from "./compose/sizes.ts";
export { table } from "./compose/table.ts";
export {
  type Authorization,
  authorizationFor,
  type Credentials,
  credentialsIn,
  credentialsOf,
  fetchAs,
  hasCredentials,
  noCredentials,
  tokenOf,
  trustAuthority,
  useCredentials,
} from "./identity.ts";
export { defaultPorts, freeStackPorts, type Ports } from "./ports.ts";
export { type CertificateFiles, certificateFiles, identityOf, writeCertificates } from "./processes/certificates.ts";
export { proportionalSetSize } from "./processes/memory.ts";
export { openProcesses, type ProcessesOptions, type ProcessStack } from "./processes/open-processes.ts";
export type { Adapter, Entry, Program, Transport } from "./processes/programs.ts";
export { databases, givenTransport, migrationSettings, programs, transports } from "./processes/programs.ts";
export { generateContracts } from "./processes/run-script.ts";
export {
  clusterRows,
  databaseOwners,
  flagRows,
  ownServices,
  profileRows,
  rows,
  type ServiceName,
  type ServiceRow,
  serviceRow,
} from "./services.ts";
export type { Ended, Replica, Scale, Stack } from "./stack.ts";
