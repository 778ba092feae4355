import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort } from "@plumbline/tools-engines";
import { whyNoGo } from "@plumbline/tools-go";
import { buildGo, buildOurs } from "./build.ts";
import { installCompetitors } from "./install.ts";
import { Running } from "./program.ts";
import { type Parts, upstream } from "./targets.ts";

export const root = resolve(import.meta.dirname, "../../../..");

/** The parts and callers of targets, until it is disposed. */
export interface Workshop extends AsyncDisposable {
  readonly parts: Parts;
  readonly generator: string;
}

/**
 * Builds our services and the Go commands, installs the competitors if they are wanted, and starts
 * the greeter and the collector behind all. Returns undefined, with a message, without Go.
 */
export async function openWorkshop(
  what: string,
  { competitors }: { readonly competitors: boolean },
): Promise<Workshop | undefined> {
  const why = whyNoGo(join(root, "tests/bench/go"));
  if (why !== undefined) {
    console.log(`SKIPPED  ${what}: the load generator is a Go program, and ${why}`);
    return undefined;
  }
  await using stack = new AsyncDisposableStack();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "plumbline-bench-")), (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  buildOurs(root, ["gateway", "greeter", "greeter-go"]);
  const go = buildGo(root, folder);
  const collector = await startCollector();
  stack.defer(() => void collector.server.close());
  const port = await freePort();
  const parts: Parts = {
    root,
    go,
    competitors: competitors ? installCompetitors(root) : undefined,
    folder,
    upstream: port,
    collector: collector.url,
  };
  stack.use(await Running.start(upstream(parts, port), 1, folder));
  const owned = stack.move();
  return { parts, generator: join(go, "load"), [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Receives spans and drops them. */
async function startCollector(): Promise<{ readonly url: string; readonly server: ReturnType<typeof createServer> }> {
  const port = await freePort();
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
  });
  await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${port}`, server };
}
