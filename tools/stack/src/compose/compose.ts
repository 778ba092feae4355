import { docker, dockerLines, type Variables } from "./docker.ts";

/** A container of the stack, as `docker compose ps` shows it. */
export interface Container {
  readonly ID: string;
  readonly Name: string;
  readonly Service: string;
  readonly State: string;
  readonly ExitCode: number;
  readonly Publishers: readonly { readonly TargetPort: number; readonly PublishedPort: number }[] | null;
}

interface Configuration {
  readonly services: Readonly<Record<string, Service>>;
}

interface Service {
  readonly image: string;
  readonly build?: unknown;
  /** Bytes. */
  readonly mem_limit?: string;
}

/** Returns all containers of the project, also those that have ended, sorted by name. */
export async function containers(variables: Variables = {}): Promise<Container[]> {
  const found = await dockerLines<Container>(["compose", "ps", "--all", "--format", "json"], variables);
  return found.toSorted((a, b) => a.Name.localeCompare(b.Name));
}

/**
 * Returns the image of each service that is built here, by the service's name. Migrations use the
 * image of their service.
 */
export async function builtImages(variables: Variables = {}): Promise<Map<string, string>> {
  const { services } = JSON.parse(await docker(["compose", "config", "--format", "json"], variables)) as Configuration;
  const images = Object.entries(services).filter(
    ([name, { build }]) => build !== undefined && !name.endsWith("-migrate"),
  );
  return new Map(images.map(([name, { image }]) => [name, image]));
}
