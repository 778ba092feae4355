import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";

/** The folder of docker-compose.yml. */
export const root = resolve(import.meta.dirname, "../../../..");

/** Variables beside this process's own: COMPOSE_PROJECT_NAME and those of .env choose a stack. */
export type Variables = Readonly<Record<string, string>>;

/** Returns the standard output of a docker command. Rejects with its complaint. */
export async function docker(args: readonly string[], variables: Variables = {}): Promise<string> {
  const child = spawn("docker", args, {
    cwd: root,
    env: { ...process.env, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended(child)]);
  if (code !== 0) throw new Error(`docker ${args.slice(0, 3).join(" ")} ended with ${code}:\n${complaint.trim()}`);
  return out;
}

/** Runs a docker command whose output is for the terminal. */
export async function dockerShown(args: readonly string[]): Promise<void> {
  const [code] = await ended(spawn("docker", args, { cwd: root, stdio: "inherit" }));
  if (code !== 0) throw new Error(`docker ${args.join(" ")} ended with ${code}`);
}

/**
 * Pulls the images that the engine of docker does not have. Rejects with the names of those that
 * could not be pulled, once all were tried.
 */
export async function haveImages(names: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const name of names) {
    try {
      if ((await docker(["images", "--quiet", name])).trim() === "") await docker(["pull", "--quiet", name]);
    } catch (error) {
      missing.push(`${name}: ${(error as Error).message}`);
    }
  }
  if (missing.length > 0) throw new Error(`images are missing, and could not be pulled:\n${missing.join("\n")}`);
}

/** Returns what a docker command printed as one JSON value on each line. */
export async function dockerLines<T>(args: readonly string[], variables: Variables = {}): Promise<T[]> {
  const lines = (await docker(args, variables)).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as T);
}

async function ended(child: ReturnType<typeof spawn>): Promise<[number | null, string | null]> {
  try {
    return (await once(child, "close")) as [number | null, string | null];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new Error("docker is not on PATH: install Docker 25 or later, with compose 2.24 or later", { cause: error });
  }
}
