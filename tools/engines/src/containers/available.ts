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

/** Where its ports are: this machine's loopback, unless the engine is another machine's. testcontainers would take a bridge's address. */
export function hostOf(container: { getHost(): string }): string {
  const engine = process.env["DOCKER_HOST"] ?? "unix://";
  return engine.startsWith("unix://") ? "127.0.0.1" : container.getHost();
}
