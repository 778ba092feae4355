/** Processes of the test cluster's node. They are visible from the network of the cluster. */
import { readdirSync, readFileSync } from "node:fs";

/** Kills the processes of a pod by SIGKILL, as if the kernel had: no drain, no handler. */
export function killPod(uid: string): void {
  // The one that holds the network of the pod stays, or the kubelet would make another pod of it.
  const found = processes().filter(({ groups, name }) => groups.includes(`pod${uid}`) && name !== "pause");
  if (found.length === 0) throw new Error(`no process of the pod ${uid} is visible from here`);
  for (const { pid } of found) process.kill(pid, "SIGKILL");
}

/** Returns the process of a program of the node. */
export function processNamed(wanted: string): number {
  const found = processes().find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`no process ${wanted} is visible from here`);
  return found.pid;
}

function processes() {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const name = readFileSync(`/proc/${entry}/comm`, "utf8").trim();
        return [{ pid: Number(entry), name, groups: readFileSync(`/proc/${entry}/cgroup`, "utf8") }];
      } catch {
        return []; // It has ended.
      }
    });
}
