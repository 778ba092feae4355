import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Ran } from "./claim.ts";
import { type Block, expectedOutput } from "./markdown-blocks.ts";
import { runCommand } from "./run-command.ts";

const blockMs = 60_000;

/** Runs a block as its reader would. Returns a problem, or undefined if it did what it says. */
export async function runBlock(
  block: Block,
  root: string,
  environment: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  return problemOf(block, await runCommand(`set -eu\n${block.text}`, { root, environment, ms: blockMs }));
}

/** Returns a problem if a block failed or did not print what it says, in that order. */
export function problemOf(block: Block, { code, output }: Ran): string | undefined {
  if (code !== 0) return `ended with ${code ?? "a signal"}: ${output.trim().split("\n").slice(-3).join("\n")}`;
  let at = 0;
  for (const expected of expectedOutput(block)) {
    const found = output.indexOf(expected, at);
    if (found === -1) return `did not print "${expected}": ${output.trim()}`;
    at = found + expected.length;
  }
  return undefined;
}

/**
 * Writes programs that stand before curl and npm on the path. This curl fails on an error status,
 * and finds the stack that the tool started at localhost:8080, and its token files in .plumbline.
 * The demo finds that stack too.
 */
export function shimmedEnvironment(
  folder: string,
  { port, tokens }: { readonly port: number; readonly tokens: string },
): NodeJS.ProcessEnv {
  mkdirSync(folder, { recursive: true });
  const path = process.env["PATH"] ?? "";
  const shim = (name: string, body: string) => {
    const script = `#!/bin/sh\nPATH='${path.replaceAll("'", "'\\''")}'\n${body}\n`;
    writeFileSync(join(folder, name), script);
    chmodSync(join(folder, name), 0o755);
  };
  shim(
    "curl",
    `for given; do
  shift
  case "$given" in @.plumbline/*) given="@${tokens}/\${given#@.plumbline/}" ;; esac
  set -- "$@" "$given"
done
exec curl --fail-with-body -sS --max-time 30 --connect-to localhost:8080:localhost:${port} "$@"`,
  );
  shim(
    "npm",
    `case "$1 $2" in
  "run demo") shift 2; [ "\${1-}" != -- ] || shift; exec npm run demo -- --url http://localhost:${port} "$@" ;;
  *) exec npm "$@" ;;
esac`,
  );
  return { ...process.env, PATH: `${folder}${delimiter}${path}` };
}
