/**
 * Fills a compile cache, in an image's build: `node warm.mjs CACHE APP`, two folders. Run by the Node, as the user
 * and at the paths that will read it: the cache holds for these only, and is ignored otherwise. Loads every script of
 * APP, `*-thread.js` as a worker thread, until each is in the cache; fails after a minute.
 */
import { spawn } from "node:child_process";
import { chmodSync, globSync, statSync } from "node:fs";
import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

const [cache, app] = process.argv.slice(2);
if (cache === undefined || app === undefined) throw new Error("warm takes the folders of the cache and of the app");
const entries = globSync(`${app}/*.js`);

// Node writes what it compiled when it ends, which an app that listens does not: it is asked to write all along.
const code = `import m from "node:module"; m.enableCompileCache(${JSON.stringify(cache)}); setInterval(m.flushCompileCache, 100).unref()`;
const execArgv = ["--import", `data:text/javascript,${encodeURIComponent(code)}`];
// A file being written has another ending until it is whole.
const files = () => globSync(`${cache}/*/*`).filter((file) => !extname(file));

const began = performance.now();
const stops = entries.map((entry): (() => unknown) => {
  if (entry.endsWith("-thread.js")) {
    const thread = new Worker(entry, { execArgv });
    return () => thread.terminate();
  }
  // Without settings it complains and ends, which is loaded too.
  const program = spawn(process.execPath, [...execArgv, entry], { stdio: "ignore" });
  return () => program.kill("SIGKILL");
});
while (files().length < entries.length && performance.now() - began < 60_000) await sleep(50);
for (const stop of stops) await stop();

const found = files();
if (found.length !== entries.length) {
  throw new Error(`${entries.join(", ")}: ${found.length} are in ${cache}, ${entries.length} are expected`);
}
// Node writes them for their owner alone, and the owner changes.
for (const file of globSync([cache, `${cache}/**/*`])) chmodSync(file, statSync(file).isDirectory() ? 0o755 : 0o644);
