import { type Reference, type Resource, resource, type Snapshot, snapshot } from "@plumbline/xds";
import type { ClusterRow, ListenerRow, Routes } from "../document.ts";
import { Cluster } from "../gen/envoy/config/cluster/v3/cluster.ts";
import { ClusterLoadAssignment } from "../gen/envoy/config/endpoint/v3/endpoint.ts";
import { Listener } from "../gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../gen/envoy/config/route/v3/route.ts";
import { Secret } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { areAddresses, type Endpoint, endpointOf } from "./address.ts";
import { assignmentOf, clusterOf } from "./cluster.ts";
import { listenerOf } from "./listener.ts";
import { routesOf } from "./route.ts";
import { secretNames, secretsOf } from "./tls.ts";

/** The endpoints of the clusters that have a target, by the name of the cluster. */
export type Resolved = ReadonlyMap<string, readonly Endpoint[]>;

/** Builds the resources of a document. The same document and endpoints give the same bytes. */
export function buildSnapshot(document: Routes, resolved: Resolved): Snapshot {
  const all = [clusters(document, resolved), secrets(document), listeners(document), routes(document)];
  return snapshot(all.flatMap((some) => [...some]));
}

function* clusters(document: Routes, resolved: Resolved): Generator<Resource> {
  for (const [name, row] of Object.entries(document.clusters)) {
    const endpoints = row.endpoints?.map(endpointOf) ?? resolved.get(name) ?? [];
    const byName = !areAddresses(endpoints);
    const bytes = Cluster.encode(clusterOf(name, row, byName ? endpoints : undefined)).finish();
    const references: Reference[] = byName ? [] : [{ type: "endpoints", name }];
    yield resource("cluster", name, bytes, [...references, ...secretsFor(row)]);
    if (byName) continue;
    yield resource("endpoints", name, ClusterLoadAssignment.encode(assignmentOf(name, row, endpoints)).finish());
  }
}

function* secrets(document: Routes): Generator<Resource> {
  for (const [name, row] of Object.entries(document.certificates)) {
    for (const secret of secretsOf(name, row)) yield resource("secret", secret.name, Secret.encode(secret).finish());
  }
}

function secretsFor({ tls }: Pick<ClusterRow | ListenerRow, "tls">): Reference[] {
  if (tls === undefined) return [];
  return Object.values(secretNames(tls.certificate)).map((name) => ({ type: "secret", name }));
}

function* listeners(document: Routes): Generator<Resource> {
  for (const [name, row] of Object.entries(document.listeners)) {
    const bytes = Listener.encode(listenerOf(name, row)).finish();
    yield resource("listener", name, bytes, [{ type: "route", name: row.routes }, ...secretsFor(row)]);
  }
}

function* routes(document: Routes): Generator<Resource> {
  for (const [name, hosts] of Object.entries(document.routes)) {
    const used = new Set(hosts.flatMap(({ rules }) => rules.flatMap(({ to }) => Object.keys(to))));
    const references = [...used].map((cluster): Reference => ({ type: "cluster", name: cluster }));
    yield resource("route", name, RouteConfiguration.encode(routesOf(name, hosts)).finish(), references);
  }
}
