import { spawnSync } from "node:child_process";

/**
 * Whether tests take this engine from a container: a Docker engine answers, and has the image or may pull it.
 * TEST_ENGINES=docker allows pulling, TEST_ENGINES=local never asks Docker.
 */
export function hasContainer(image: string): boolean {
  const choice = process.env["TEST_ENGINES"];
  if (choice === "local") return false;
  // Pulling is minutes and gigabytes that nobody asked for, unless somebody did.
  const args =
    choice === "docker"
      ? ["version", "--format", "{{.Server.Version}}"]
      : ["image", "inspect", "--format", "{{.Id}}", image];
  const answer = spawnSync("docker", args, { encoding: "utf8", timeout: 10_000 });
  return answer.error === undefined && answer.status === 0;
}
