import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../../..");

/** The result of a command that has ended. */
export interface Ended {
  readonly status: number | null;
  /** Standard output and standard error, in the order in which they came. */
  readonly output: string;
}

/** A copy of the repository in a temporary folder, without its history, builds and caches. */
export class Copy implements Disposable {
  readonly folder: string;

  /**
   * Copies the files that git knows. Links installed packages; those of the workspace to the copy.
   */
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "plumbline-copy-"));
    const listed = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: root,
      encoding: "utf8",
    });
    if (listed.status !== 0) throw new Error(`git ls-files failed: ${listed.stderr}`);
    for (const file of listed.stdout.split("\0")) {
      if (file === "" || !existsSync(join(root, file))) continue; // Deleted, and not yet committed.
      mkdirSync(dirname(join(this.folder, file)), { recursive: true });
      cpSync(join(root, file), join(this.folder, file));
    }
    // Tools ask git which files there are.
    spawnSync("git", ["init", "--quiet"], { cwd: this.folder });
    const modules = join(this.folder, "node_modules");
    mkdirSync(join(modules, "@plumbline"), { recursive: true });
    for (const name of readdirSync(join(root, "node_modules"))) {
      if (name === "@plumbline" || name === ".cache") continue;
      symlinkSync(join(root, "node_modules", name), join(modules, name));
    }
    for (const name of readdirSync(join(root, "node_modules/@plumbline"))) {
      const target = readlinkSync(join(root, "node_modules/@plumbline", name)); // ../../libs/rpc
      symlinkSync(target, join(modules, "@plumbline", name));
    }
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), "utf8");
  }

  /** Runs a command in the copy. It is killed after ten minutes. */
  async run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: { ...this.environment(), ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 600_000,
      killSignal: "SIGKILL",
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    return await new Promise((ended, failed) => {
      child.once("error", failed);
      child.once("close", (status) => ended({ status, output }));
    });
  }

  /** The variables of this process, without those that Nx and npm set for the repository itself. */
  environment(): NodeJS.ProcessEnv {
    const own = Object.entries(process.env).filter(
      ([name]) => !/^(NX_|npm_|INIT_CWD$|NODE_TEST_CONTEXT$|FORCE_COLOR$)/i.test(name),
    );
    const path = `${join(this.folder, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`;
    return { ...Object.fromEntries(own), PATH: path, NO_COLOR: "1", NX_DAEMON: "false" };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
