/** The checks of `npm run doctor`. */
import { tmpdir } from "node:os";
import { howToGetEtcd, javaProblem } from "@plumbline/tools-engines";
import { goProblem } from "@plumbline/tools-go";
import { describeBusy } from "../processes/preflight.ts";
import type { Machine } from "./machine.ts";

export interface Check {
  readonly name: string;
  readonly neededFor: string;
  /** Without it `npm start` does not work. The others are for a part of the commands. */
  readonly required: boolean;
  /** Returns what is there. Throws a Missing. */
  readonly look: (machine: Machine) => Promise<string> | string;
}

/** Something that is not as it must be, and what to do about it. */
export class Missing extends Error {
  readonly fix: string;

  constructor(found: string, fix: string) {
    super(found);
    this.fix = fix;
  }
}

const gigabyte = 1_000_000_000;
const start = "npm start";
const containers = "docker compose up, npm run containers, npm run chaos, engines of tests in containers";

export const checks: readonly Check[] = [
  {
    name: "Node",
    neededFor: "everything",
    required: true,
    look: ({ nodeVersion, exists }) => {
      if (Number.parseInt(nodeVersion, 10) < 26) {
        throw new Missing(
          `Node ${nodeVersion}`,
          "npm brings Node 26 on Linux (x64, arm64) and macOS (arm64): run npm ci without --omit=optional. Elsewhere install Node 26.",
        );
      }
      return `Node ${nodeVersion}, ${exists("node_modules/.bin/node") ? "from npm" : "from the system"}`;
    },
  },
  {
    name: "libatomic",
    neededFor: "the Node that npm installs",
    required: true,
    look: async ({ platform, exists, run, root }) => {
      if (platform !== "linux" || !exists("node_modules/.bin/node")) return "not needed here";
      const complaint = await run(`${root}/node_modules/.bin/node`, "--version").catch((error: unknown) =>
        String(error),
      );
      if (complaint?.includes("libatomic") === true) {
        throw new Missing(
          "libatomic1 is missing",
          "apt-get install libatomic1 (Debian, Ubuntu) or dnf install libatomic (Fedora)",
        );
      }
      return "the installed Node finds its libraries";
    },
  },
  {
    name: "npm",
    neededFor: "installing and running every command",
    required: true,
    look: async ({ run, environment }) => {
      const known = /^npm\/(\S+)/.exec(environment["npm_config_user_agent"] ?? "")?.[1];
      const version = known ?? (await run("npm", "--version"));
      const least = 10;
      if (version === undefined || Number.parseInt(version, 10) < least) {
        throw new Missing(
          version === undefined ? "no npm" : `npm ${version}`,
          `npm install --global npm@${least} or later`,
        );
      }
      return `npm ${version}`;
    },
  },
  {
    name: "dependencies",
    neededFor: "everything",
    required: true,
    look: ({ exists }) => {
      if (!exists("node_modules/.package-lock.json")) throw new Missing("node_modules is missing", "npm ci");
      const missing = ["nx", "buf", "tsc", "biome"].filter((program) => !exists(`node_modules/.bin/${program}`));
      if (missing.length > 0) throw new Missing(`node_modules has no ${missing.join(", ")}`, "npm ci --include=dev");
      return "node_modules is there";
    },
  },
  {
    name: "ports",
    neededFor: start,
    required: true,
    look: async ({ ports, busyPorts }) => {
      const { kafka: _kafka, etcd: _etcd, ...needed } = ports;
      const busy = await busyPorts(needed);
      const [first, ...fix] = busy.length === 0 ? [] : describeBusy(busy).split("\n");
      if (first !== undefined) throw new Missing([first, ...fix.slice(0, -1)].join("\n"), fix.at(-1) ?? "");
      return `${Object.keys(needed).length} ports are free (${Math.min(...Object.values(needed))} to ${Math.max(...Object.values(needed))})`;
    },
  },
  {
    name: "Postgres",
    neededFor: start,
    required: true,
    look: async ({ postgres, dataDir }) => {
      try {
        return await postgres(`${dataDir}/postgres`);
      } catch (error) {
        const [found = "", ...fix] = String(error instanceof Error ? error.message : error).split(/(?<=[.:]) /);
        throw new Missing(found, fix.join(" ") || "npm start -- --data FOLDER uses another folder");
      }
    },
  },
  {
    name: "disk",
    neededFor: start,
    required: true,
    look: async ({ freeDisk, root }) => {
      const least = 1;
      const folders = [root, tmpdir()];
      const free = await Promise.all(folders.map(freeDisk));
      const full = folders.filter((_, index) => (free[index] ?? 0) < least * gigabyte);
      if (full.length > 0)
        throw new Missing(
          `less than ${least} GB is free in ${full.join(" and ")}`,
          "free some space, or set TMPDIR to another disk",
        );
      return free.map((bytes, index) => `${(bytes / gigabyte).toFixed(0)} GB free in ${folders[index]}`).join(", ");
    },
  },
  {
    name: "memory",
    neededFor: start,
    required: false,
    look: ({ availableMemory }) => {
      const least = 1;
      const found = `${(availableMemory / gigabyte).toFixed(1)} GB available`;
      if (availableMemory < least * gigabyte)
        throw new Missing(found, `close other programs: the stack takes about ${least} GB`);
      return found;
    },
  },
  {
    name: "descriptors",
    neededFor: "many connections at once: tests, npm run bench, npm run load",
    required: false,
    look: async ({ run, platform }) => {
      if (platform === "win32") return "no limit here";
      const written = await run("sh", "-c", "ulimit -n");
      const least = 4_096;
      if (written !== "unlimited" && !(Number(written) >= least)) {
        throw new Missing(
          `a process may open ${written ?? "no"} files`,
          `ulimit -n ${least}, or raise nofile in /etc/security/limits.conf`,
        );
      }
      return `a process may open ${written} files`;
    },
  },
  {
    name: "curl",
    neededFor: "the examples of README and npm start",
    required: false,
    look: async ({ run }) => {
      const version = /^curl (\S+)/.exec((await run("curl", "--version")) ?? "")?.[1];
      if (version === undefined)
        throw new Missing("no curl", "install curl, or use the page http://localhost:8080/docs");
      return `curl ${version}`;
    },
  },
  {
    name: "proxies",
    neededFor: "curl and browsers that reach localhost directly",
    required: false,
    look: ({ environment }) => {
      const set = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].filter(
        (name) => (environment[name] ?? "") !== "",
      );
      const except = `${environment["no_proxy"] ?? ""},${environment["NO_PROXY"] ?? ""}`
        .split(",")
        .map((one) => one.trim());
      const isCaught = !except.includes("*") && !["localhost", "127.0.0.1"].every((host) => except.includes(host));
      if (set.length > 0 && isCaught) {
        throw new Missing(
          `${set.join(", ")} sends requests for localhost to a proxy`,
          "export no_proxy=localhost,127.0.0.1",
        );
      }
      return set.length === 0 ? "none is set" : "localhost is excepted";
    },
  },
  {
    name: "file system",
    neededFor: "speed",
    required: false,
    look: ({ root, environment }) => {
      if (environment["WSL_DISTRO_NAME"] !== undefined && /^\/mnt\/[a-z]\//.test(root)) {
        throw new Missing(`${root} is a Windows folder, slow from WSL`, "clone into the home folder of WSL");
      }
      return "the clone is on a file system of this machine";
    },
  },
  {
    name: "Docker",
    neededFor: containers,
    required: false,
    look: async ({ run }) => {
      const install = "install Docker 25 or later and start it; this user must be allowed to use it (group docker)";
      const version = await run("docker", "version", "--format", "{{.Server.Version}}").catch((error: unknown) => {
        throw new Missing(`no Docker engine answers: ${firstLine(error)}`, install);
      });
      return atLeast("Docker", version, [25, 0], install);
    },
  },
  {
    name: "compose",
    neededFor: containers,
    required: false,
    look: async ({ run }) => {
      const install = "install the compose plugin 2.24 or later (docker-compose-plugin)";
      const version = await run("docker", "compose", "version", "--short").catch(() => undefined);
      return atLeast("compose", version, [2, 24], install);
    },
  },
  {
    name: "buildx",
    neededFor: containers,
    required: false,
    look: async ({ run }) => {
      const install = "install the buildx plugin (docker-buildx-plugin): without it images do not build";
      const version = await run("docker", "buildx", "version").catch(() => undefined);
      return atLeast("buildx", /v?(\d+\.\d+\S*)/.exec(version ?? "")?.[1], [0, 12], install);
    },
  },
  {
    name: "Java",
    neededFor: "Kafka without Docker: npm start -- --kafka, tests on Kafka",
    required: false,
    look: async ({ run }) => {
      const output = await run("java", "-version");
      const problem = javaProblem(output);
      if (problem !== undefined)
        throw new Missing(problem, "install a JDK or JRE (apt-get install default-jre-headless)");
      return output?.split("\n")[0] ?? "";
    },
  },
  {
    name: "Maven",
    neededFor: "Kafka without Docker: npm start -- --kafka, tests on Kafka",
    required: false,
    look: ({ maven }) => {
      const problem = maven();
      if (problem !== undefined) throw new Missing(problem, "install Maven (apt-get install maven)");
      return "mvn is on PATH";
    },
  },
  {
    name: "etcd",
    neededFor: "npm start -- --etcd, tests on etcd",
    required: false,
    look: ({ etcd }) => {
      const found = etcd();
      if (found === undefined) throw new Missing("no etcd, and no Docker engine to run it", howToGetEtcd);
      return "command" in found ? `${found.command} on this machine` : `${found.image} in a container`;
    },
  },
  {
    name: "Go",
    neededFor: "greeter-go, interop tests, npm run bench -- competitors",
    required: false,
    look: async ({ run }) => {
      const output = await run("go", "env", "GOVERSION");
      const problem = goProblem(output);
      const [found = "", fix = ""] = problem?.split(": ") ?? [];
      if (problem !== undefined) throw new Missing(found, fix);
      return output ?? "";
    },
  },
];

function atLeast(
  what: string,
  version: string | undefined,
  [major, minor]: readonly [number, number],
  fix: string,
): string {
  const [, first = -1, second = -1] = (/^v?(\d+)\.(\d+)/.exec(version ?? "") ?? []).map(Number);
  if (first > major || (first === major && second >= minor)) return `${what} ${version}`;
  throw new Missing(version === undefined || version === "" ? `no ${what}` : `${what} ${version}`, fix);
}

function firstLine(error: unknown): string {
  const { stderr = "", message = "" } = error as { stderr?: string; message?: string };
  return (stderr.trim() || message).split("\n")[0] ?? "";
}
