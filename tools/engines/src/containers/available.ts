import { spawnSync } from "node:child_process";

/**
 * Returns true if tests run this engine in a container: a Docker engine answers, and has the image
 * or may pull it. TEST_ENGINES=docker allows pulling; TEST_ENGINES=local never asks Docker.
 */
export function hasContainer(image: string): boolean {
  const choice = process.env["TEST_ENGINES"];
  if (choice === "local") return false;
  // Pulling takes minutes and gigabytes, so only if the variable asks for it.
  const args =
    choice === "docker"
      ? ["version", "--format", "{{.Server.Version}}"]
      : ["image", "inspect", "--format", "{{.Id}}", image];
  const answer = spawnSync("docker", args, { encoding: "utf8", timeout: 10_000 });
  return answer.error === undefined && answer.status === 0;
}

/**
 * Returns the host of its ports: the loopback, unless the engine runs on another machine.
 * testcontainers would use the address of a bridge.
 */
export function hostOf(container: { getHost(): string }): string {
  const engine = process.env["DOCKER_HOST"] ?? "unix://";
  return engine.startsWith("unix://") ? "127.0.0.1" : container.getHost();
}
