export { createLedger, type Ledger } from "./ledger.ts";
export type { DeltaRequest, DeltaResponse, SotwRequest, SotwResponse } from "./messages.ts";
export { type Reference, type Resource, resource, type Snapshot, SnapshotError, snapshot } from "./snapshot.ts";
export type { ResourceStatus } from "./status.ts";
export { type AdsStream, openStream, type StreamEvent, type Timings } from "./stream.ts";
export { SubscriptionError } from "./subscription.ts";
export { type ResourceType, resourceTypes, typeOfUrl, typeUrls } from "./types.ts";
