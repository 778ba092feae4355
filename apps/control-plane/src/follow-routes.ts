import { followConfig, type Source } from "@plumbline/config";
import type { Resolver } from "@plumbline/rpc/discovery";
import type { Telemetry } from "@plumbline/telemetry";
import type { Publisher } from "./ads/publisher.ts";
import { type Routes, routesDocument } from "./document.ts";
import { openEndpoints } from "./endpoints.ts";
import { buildSnapshot } from "./resources/build.ts";

/** The document in force, followed. */
export interface FollowedRoutes extends AsyncDisposable {
  /** Rejects while there is no snapshot: a check of readiness. */
  ping(): Promise<void>;
}

/**
 * Follows the document and its targets, and publishes a snapshot at each change. An invalid
 * document is logged, and the last good one stays. Rejects with a ConfigError if the first one is
 * invalid.
 */
export async function followRoutes(
  source: Source,
  resolvers: readonly Resolver[],
  publisher: Publisher,
  { logger }: Pick<Telemetry, "logger">,
): Promise<FollowedRoutes> {
  await using opened = new AsyncDisposableStack();
  let document: Routes | undefined;
  let published = false;

  function publish(): void {
    const resolved = endpoints.resolved;
    // A snapshot without the endpoints of some target would take clusters out of service.
    if (document === undefined || resolved === undefined) return;
    publisher.put(buildSnapshot(document, resolved));
    published = true;
  }

  const endpoints = opened.use(openEndpoints(resolvers, { logger }, publish));
  opened.use(
    await followConfig(routesDocument(resolvers), [source], {
      onChange(next) {
        document = next as Routes;
        endpoints.follow(document);
        publish();
        logger.info("routes are in force", { source: source.name, clusters: Object.keys(document.clusters).length });
      },
      onRefused: (error) => logger.error("routes not changed: the document is invalid", error),
      onFailure: (error) => logger.error("routes can no longer be followed; restart to apply changes", error),
    }),
  );
  const owned = opened.move();
  return {
    async ping() {
      if (!published) throw new Error("no snapshot yet: a target has not been resolved");
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
