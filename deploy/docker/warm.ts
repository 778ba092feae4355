/**
 * Fills a compile cache in the build of an image: `node warm.mjs CACHE APP`, two folders. The Node,
 * the user and the paths must be those of the final image: Node ignores the cache for any other.
 * Runs every script of APP until each is in the cache. Fails after a minute.
 */
import { spawn } from "node:child_process";
import { chmodSync, globSync, statSync } from "node:fs";
import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const [cache, app] = process.argv.slice(2);
if (cache === undefined || app === undefined) throw new Error("warm takes the folders of the cache and of the app");
const entries = globSync(`${app}/*.js`);

// Node writes the cache when it exits, but an app that listens does not exit. So it flushes often.
const code = `import m from "node:module"; m.enableCompileCache(${JSON.stringify(cache)}); setInterval(m.flushCompileCache, 100).unref()`;
const execArgv = ["--import", `data:text/javascript,${encodeURIComponent(code)}`];
// A file that is still being written has an extension.
const files = () => globSync(`${cache}/*/*`).filter((file) => !extname(file));

const began = performance.now();
// Without settings the app prints an error and exits, but by then its code is loaded.
const programs = entries.map((entry) => spawn(process.execPath, [...execArgv, entry], { stdio: "ignore" }));
while (files().length < entries.length && performance.now() - began < 60_000) await sleep(50);
for (const program of programs) program.kill("SIGKILL");

const found = files();
if (found.length !== entries.length) {
  throw new Error(`${entries.join(", ")}: ${found.length} are in ${cache}, ${entries.length} are expected`);
}
// Node makes the files readable for their owner only, and the owner changes.
for (const file of globSync([cache, `${cache}/**/*`])) chmodSync(file, statSync(file).isDirectory() ? 0o755 : 0o644);
