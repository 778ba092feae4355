import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The lowest version that builds the modules here. */
const least = [1, 26] as const;
const environment = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false -mod=readonly" };

/**
 * Returns the reason why Go cannot build the module in `folder`, or undefined if it can. Downloads
 * the module's dependencies, for at most 5 minutes.
 */
export function whyNoGo(folder: string): string | undefined {
  const { stdout, error } = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8", cwd: folder });
  const problem = goProblem(error === undefined ? stdout : undefined);
  if (problem !== undefined) return problem;
  const download = spawnSync("go", ["mod", "download"], {
    encoding: "utf8",
    cwd: folder,
    env: environment,
    timeout: 300_000,
  });
  if (download.status === 0) return undefined;
  return `its modules cannot be fetched (${download.stderr.trim().split("\n", 1)[0] ?? "no answer"}): go mod download must reach a module proxy once`;
}

/** Judges what `go env GOVERSION` printed, undefined where there is no `go`. */
export function goProblem(output: string | undefined): string | undefined {
  const how = `install Go ${least.join(".")} or later from go.dev/dl and put it on PATH`;
  if (output === undefined) return `there is no Go on PATH: ${how}`;
  const [, major = 0, minor = 0] = (/^go(\d+)\.(\d+)/.exec(output.trim()) ?? []).map(Number);
  if (major > least[0] || (major === least[0] && minor >= least[1])) return undefined;
  return `Go is too old (${output.trim() || "no version"}): ${how}`;
}

/**
 * Builds the command `packagePath` of the module in `folder` as the file `out`. Throws with the
 * compiler's output.
 */
export function goBuild(folder: string, packagePath: string, out: string): string {
  go(folder, ["build", "-trimpath", "-o", out, packagePath]);
  return out;
}

/** Runs Go in `folder` and passes its output on. Throws if it fails. */
export function go(folder: string, args: readonly string[]): void {
  const { status, error } = spawnSync("go", args, { cwd: folder, env: environment, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error(`go ${args[0]} failed in ${folder}: ${error?.message ?? `code ${status}`}`);
}

/** Returns the Go files below `folder` that gofmt would change. */
export function unformatted(folder: string): string[] {
  const { stdout } = spawnSync("gofmt", ["-l", "."], { cwd: folder, encoding: "utf8" });
  return stdout.split("\n").filter((file) => file !== "" && !file.startsWith("gen/"));
}

/** Runs buf with the module's own `buf.gen.yaml`, from the root of the workspace. */
export function generate(root: string, folder: string): void {
  const buf = join(root, "node_modules/.bin/buf");
  if (!existsSync(buf)) throw new Error("buf is not installed: npm ci");
  const { status } = spawnSync(buf, ["generate", "--clean", "--template", join(folder, "buf.gen.yaml")], {
    cwd: root,
    env: { ...environment, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"]}` },
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) throw new Error(`buf generate failed for ${folder}`);
}
