import { docker, dockerLines } from "./docker.ts";

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

/** All containers of the project, those that have ended too, by name. */
export async function containers(): Promise<Container[]> {
  const found = await dockerLines<Container>(["compose", "ps", "--all", "--format", "json"]);
  return found.toSorted((a, b) => a.Name.localeCompare(b.Name));
}

/** The image of each service that is built here, by the service's name; steps that run once use another's. */
export async function builtImages(): Promise<Map<string, string>> {
  const { services } = JSON.parse(await docker(["compose", "config", "--format", "json"])) as Configuration;
  const images = Object.entries(services).filter(
    ([name, { build }]) => build !== undefined && !name.endsWith("-migrate"),
  );
  return new Map(images.map(([name, { image }]) => [name, image]));
}
