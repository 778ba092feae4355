import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import type { KubeObject } from "@plumbline/kube";

interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
  readonly collection: string;
  readonly version: number;
}

/** An API server in memory: objects of any kind by their path, with watches, and no controllers. */
export interface MemoryCluster extends AsyncDisposable {
  readonly url: string;
  /** The writes that came by HTTP, as "PATCH /api/…". */
  readonly writes: readonly string[];
  get(path: string): KubeObject | undefined;
  /** Creates or replaces an object of a collection, as somebody else does. */
  put(collection: string, object: KubeObject): KubeObject;
  delete(path: string): void;
}

export async function startMemoryCluster(): Promise<MemoryCluster> {
  const objects = new Map<string, KubeObject>();
  const changes: Change[] = [];
  const watches = new Map<ServerResponse, { readonly collection: string; readonly selector: string | null }>();
  const writes: string[] = [];

  function change(type: Change["type"], collection: string, object: KubeObject): void {
    const one = { type, object, collection, version: Number(object.metadata.resourceVersion) };
    changes.push(one);
    for (const [response, watch] of watches) if (watch.collection === collection) send(response, one, watch.selector);
  }

  function put(collection: string, given: KubeObject): KubeObject {
    const path = `${collection}/${given.metadata.name}`;
    const before = objects.get(path);
    const { resourceVersion: _, generation = 0, ...kept } = before?.metadata ?? { name: given.metadata.name };
    const isSame = JSON.stringify(before?.["spec"]) === JSON.stringify(given["spec"] ?? before?.["spec"]);
    const metadata = {
      ...kept,
      ...given.metadata,
      uid: before?.metadata.uid ?? `uid-${changes.length}`,
      generation: isSame && before !== undefined ? generation : generation + 1,
    };
    const next = { ...before, ...given, metadata };
    const isEqual = before !== undefined && JSON.stringify({ ...next, metadata: sorted(metadata) }) === text(before);
    if (isEqual) return before;
    const object = { ...next, metadata: { ...metadata, resourceVersion: String(changes.length + 1) } };
    objects.set(path, object);
    change(before === undefined ? "ADDED" : "MODIFIED", collection, object);
    return object;
  }

  function remove(path: string): void {
    const found = objects.get(path);
    if (found === undefined) return;
    objects.delete(path);
    const metadata = { ...found.metadata, resourceVersion: String(changes.length + 1) };
    change("DELETED", path.slice(0, path.lastIndexOf("/")), { ...found, metadata });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET" } = request;
    const { pathname, searchParams: query } = new URL(request.url ?? "", "http://memory");
    const reply = (status: number, body: object): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const notFound = { kind: "Status", message: "not found", reason: "NotFound" };
    if (method !== "GET") writes.push(`${method} ${pathname}`);
    const selector = query.get("labelSelector");
    if (query.get("watch") === "true") {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      watches.set(response, { collection: pathname, selector });
      response.once("close", () => watches.delete(response));
      for (const one of changes) {
        if (one.collection === pathname && one.version > Number(query.get("resourceVersion")))
          send(response, one, selector);
      }
      return;
    }
    if (method === "POST") return reply(201, (await json(request)) as object);
    if (method === "PATCH") {
      const isStatus = pathname.endsWith("/status");
      const path = isStatus ? pathname.slice(0, -"/status".length) : pathname;
      const collection = path.slice(0, path.lastIndexOf("/"));
      const body = (await json(request)) as KubeObject;
      const before = objects.get(path);
      if (isStatus && before === undefined) return reply(404, notFound);
      return reply(200, put(collection, isStatus && before ? { ...before, status: body["status"] } : body));
    }
    if (method === "DELETE") {
      remove(pathname);
      return reply(200, { metadata: { name: "" } });
    }
    const found = objects.get(pathname);
    if (found !== undefined) return reply(200, found);
    if (!pathname.endsWith("s")) return reply(404, notFound);
    const items = [...objects].filter(([path]) => path.slice(0, path.lastIndexOf("/")) === pathname);
    reply(200, {
      metadata: { resourceVersion: String(changes.length) },
      items: items.map(([, object]) => object).filter((object) => isSelected(object, selector)),
    });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    writes,
    get: (path) => objects.get(path),
    put,
    delete: remove,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.closeAllConnections();
      server.close();
      await closed;
    },
  };
}

function send(response: ServerResponse, { type, object }: Change, selector: string | null): void {
  if (isSelected(object, selector)) response.write(`${JSON.stringify({ type, object })}\n`);
}

function isSelected({ metadata }: KubeObject, selector: string | null): boolean {
  if (selector === null) return true;
  const { labels = {} } = metadata as { readonly labels?: Readonly<Record<string, string>> };
  const [key = "", value] = selector.split("=");
  return value === undefined ? key in labels : labels[key] === value;
}

function text(object: KubeObject): string {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return JSON.stringify({ ...object, metadata: sorted(metadata) });
}

function sorted(metadata: object): object {
  return Object.fromEntries(Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
