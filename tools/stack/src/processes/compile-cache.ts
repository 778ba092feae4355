import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "./programs.ts";

/** Each edit of a module adds a file, and Node removes none. */
const mostBytes = 256 * 2 ** 20;

function folderOf(root: string): string {
  return join(root, ".plumbline", "compile-cache");
}

/**
 * Returns the variable that lets Node keep compiled modules for the next process. Without types to
 * strip, a program takes a quarter less memory and starts sooner.
 */
export function compileCache(root: string): Environment {
  return { NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? folderOf(root) };
}

/** Removes the cache if it has grown too large. The next programs fill it again. */
export function limitCompileCache(root: string): void {
  const folder = folderOf(root);
  try {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const bytes = files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
    if (bytes > mostBytes) rmSync(folder, { recursive: true, force: true });
  } catch {
    // There is none, or another stack is filling it.
  }
}
