export { ConfigSettings, configPrefix } from "./config-settings.ts";
export { type Followed, followLiveSettings, type LiveConfig } from "./live-settings.ts";
export { type OpsPort, openOps } from "./open-ops.ts";
export {
  type DiscoverySettings,
  type OpenResolvers,
  openConfiguredResolvers,
  openResolvers,
} from "./open-resolvers.ts";
export { type DocumentPlace, type OpenDocument, type OpenSources, openSources, SourceNotices } from "./open-sources.ts";
export { type RunServiceOptions, runService, type ServiceContext } from "./run-service.ts";
export { serveRpc } from "./serve-rpc.ts";
export { type OpenService, serveUntilStopped } from "./serve-until-stopped.ts";
export { type ServiceConfigOptions, serviceConfig, settings } from "./settings.ts";
export { msAfterDrain, splitGracePeriod } from "./split-grace-period.ts";
export { version } from "./version.ts";
