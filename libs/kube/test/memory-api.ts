import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

interface Stored {
  readonly metadata: { readonly name?: string; readonly generateName?: string; readonly resourceVersion?: string };
}

/** An API server that keeps objects of any kind by their path, with versions and conflicts. */
export async function startMemoryApi(): Promise<AsyncDisposable & { readonly url: string }> {
  const objects = new Map<string, Stored>();
  let version = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method } = request;
    const { pathname } = new URL(request.url ?? "", "http://memory");
    const reply = (status: number, body: object): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const refuse = (code: number, reason: string): void => reply(code, { kind: "Status", message: reason, reason });
    const store = (path: string, object: Stored): Stored => {
      version += 1;
      const stored = { ...object, metadata: { ...object.metadata, resourceVersion: `${version}` } };
      objects.set(path, stored);
      return stored;
    };
    if (method === "POST") {
      const object = (await json(request)) as Stored;
      const name = object.metadata.name ?? `${object.metadata.generateName}${version}`;
      const path = `${pathname}/${name}`;
      if (objects.has(path)) return refuse(409, "AlreadyExists");
      return reply(201, store(path, { ...object, metadata: { ...object.metadata, name } }));
    }
    const found = objects.get(pathname);
    if (found === undefined) return refuse(404, "NotFound");
    if (method === "DELETE") objects.delete(pathname);
    if (method !== "PUT") return reply(200, found);
    const object = (await json(request)) as Stored;
    if (objects.get(pathname)?.metadata.resourceVersion !== object.metadata.resourceVersion) {
      return refuse(409, "Conflict");
    }
    reply(200, store(pathname, object));
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.closeAllConnections();
      server.close();
      await closed;
    },
  };
}
