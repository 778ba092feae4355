import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Secret {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly data: Readonly<Record<string, string>>;
}

/** An API server of the Secrets of one namespace. It answers requests for one name at a time. */
export interface FakeSecrets extends AsyncDisposable {
  readonly url: string;
  /** The names that were asked for. */
  readonly asked: ReadonlySet<string>;
  /** Creates or replaces a Secret, and returns its version. */
  put(name: string, files: Readonly<Record<string, string>>): string;
  delete(name: string): void;
  /** Ends all open watches without a word. */
  cut(): void;
  /** The status of the next answers, if not 200. */
  status: number;
}

export async function startFakeSecrets(): Promise<FakeSecrets> {
  const secrets = new Map<string, Secret>();
  const watches = new Map<ServerResponse, string>();
  const asked = new Set<string>();
  let version = 0;
  const server = createServer((request, response) => {
    const { pathname, searchParams: query } = new URL(request.url ?? "", "http://fake");
    const name = /^metadata\.name=(.+)$/.exec(query.get("fieldSelector") ?? "")?.[1];
    // A role with names of resources allows nothing else.
    const status = name === undefined || pathname !== "/api/v1/namespaces/shop/secrets" ? 403 : fake.status;
    response.writeHead(status, { "content-type": "application/json" });
    if (name === undefined || status !== 200) {
      response.end(JSON.stringify({ kind: "Status", message: `refused with ${status}`, code: status }));
      return;
    }
    asked.add(name);
    const found = secrets.get(name);
    if (query.get("watch") !== "true") {
      response.end(JSON.stringify({ metadata: { resourceVersion: String(version) }, items: found ? [found] : [] }));
      return;
    }
    response.flushHeaders();
    watches.set(response, name);
    response.once("close", () => watches.delete(response));
    // A change since the list.
    if (found !== undefined && Number(found.metadata.resourceVersion) > Number(query.get("resourceVersion"))) {
      send("MODIFIED", found, [response]);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const of = (name: string) => [...watches].filter(([, watched]) => watched === name).map(([response]) => response);
  const fake: FakeSecrets = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    status: 200,
    put(name, files) {
      version += 1;
      const data = Object.fromEntries(
        Object.entries(files).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
      );
      const secret = { metadata: { name, resourceVersion: String(version) }, data };
      secrets.set(name, secret);
      send("MODIFIED", secret, of(name));
      return String(version);
    },
    delete(name) {
      const secret = secrets.get(name);
      version += 1;
      secrets.delete(name);
      if (secret !== undefined) send("DELETED", secret, of(name));
    },
    cut() {
      for (const watch of watches.keys()) watch.destroy();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
  return fake;

  function send(type: string, object: Secret, to: readonly ServerResponse[]): void {
    for (const response of to) response.write(`${JSON.stringify({ type, object })}\n`);
  }
}
