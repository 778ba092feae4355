import { execFile } from "node:child_process";
import type { Release } from "./lock.ts";

/** The answer of the registry about one release. */
export interface Facts {
  /** The hash of the package's archive, "sha512-...". */
  readonly integrity?: string;
  /** The moment of the release; a registry may give none. */
  readonly released?: Date;
}

/** The registry gave no answer: there is no network, or it does not have the release. */
export class NoAnswer extends Error {}

/** Asks the registry that npm is set up with. Rejects with NoAnswer, which names no host. */
export function askRegistry({ name, version }: Release): Promise<Facts> {
  const args = ["view", `${name}@${version}`, "name", "dist.integrity", "time", "--json", "--fetch-retries=0"];
  return new Promise((resolve, reject) => {
    execFile(
      "npm",
      [...args, "--fetch-timeout=20000"],
      { timeout: 60_000, maxBuffer: 64 * 2 ** 20 },
      (error, stdout) => {
        const answer = parse(stdout);
        if (error === null && answer !== undefined) resolve(factsOf(answer, version));
        else reject(new NoAnswer(`the registry gave no answer about ${name}@${version} (${codeOf(answer)})`));
      },
    );
  });
}

/** Reads the output of `npm view --json`. */
export function factsOf(answer: Readonly<Record<string, unknown>>, version: string): Facts {
  const integrity = answer["dist.integrity"];
  const time = (answer["time"] as Readonly<Record<string, string>> | undefined)?.[version];
  return {
    ...(typeof integrity === "string" ? { integrity } : {}),
    ...(time === undefined || Number.isNaN(Date.parse(time)) ? {} : { released: new Date(time) }),
  };
}

function parse(output: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(output) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

/** Returns npm's own code, "E404", because its texts hold the registry's address. */
function codeOf(answer: Readonly<Record<string, unknown>> | undefined): string {
  return (answer?.["error"] as { readonly code?: string } | undefined)?.code ?? "no code";
}
