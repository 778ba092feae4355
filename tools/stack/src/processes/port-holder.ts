import { execFile } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { promisify } from "node:util";

/** Returns the program that listens on a port, as "node (pid 123)", where this user may see it. */
export async function portHolder(port: number): Promise<string | undefined> {
  return process.platform === "linux" ? holderOnLinux(port) : await holderByLsof(port);
}

function holderOnLinux(port: number): string | undefined {
  const sockets = new Set(["tcp", "tcp6"].flatMap((table) => listeningSockets(table, port)));
  if (sockets.size === 0) return undefined;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const files = readdirSync(`/proc/${pid}/fd`);
      const isHolder = files.some((file) => sockets.has(linkOf(`/proc/${pid}/fd/${file}`)));
      if (isHolder) return `${readFileSync(`/proc/${pid}/comm`, "utf8").trim()} (pid ${pid})`;
    } catch {
      // The process belongs to another user, or ended since the list was made.
    }
  }
  return undefined;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // The file was closed since the list was made.
  }
}

/** Returns the sockets in the state LISTEN on a port, as links of /proc name them. */
function listeningSockets(table: string, port: number): string[] {
  const listening = "0A";
  try {
    return readFileSync(`/proc/net/${table}`, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([, local = "", , state]) => state === listening && Number.parseInt(local.split(":").at(-1) ?? "", 16) === port,
      )
      .map((fields) => `socket:[${fields[9]}]`);
  } catch {
    return [];
  }
}

async function holderByLsof(port: number): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"], {
      timeout: 1_000,
    });
    const pid = /^p(\d+)$/m.exec(stdout)?.[1];
    return pid === undefined ? undefined : `${/^c(.+)$/m.exec(stdout)?.[1] ?? "a program"} (pid ${pid})`;
  } catch {
    return undefined;
  }
}
