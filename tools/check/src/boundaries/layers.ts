/**
 * The layers of this repository, in one table. The tag `layer:NAME` in a project's package.json
 * states its layer.
 *
 *     foundation <- process <- driver <- communication <- platform <- service-defaults
 *         <- app <- tool <- test
 *
 * An import points only to the left. Contracts stand beside all of them. Projects of one layer do
 * not import each other, except where the table says so.
 */

export interface Project {
  readonly name: string;
  readonly tags: readonly string[];
  /** The names of the projects that it depends on at run time. */
  readonly dependencies: readonly string[];
  /** The names of the projects that only its tests and scripts use. */
  readonly devDependencies: readonly string[];
}

const libraries = ["foundation", "process", "driver", "communication", "platform", "service-defaults"];

const mayImport: Readonly<Record<string, readonly string[]>> = {
  /** Errors, concurrency: no input and no output. */
  foundation: ["foundation"],
  /** The life of a process: settings, start and stop, telemetry. */
  process: ["foundation"],
  /** One protocol each: HTTP/2, Postgres. */
  driver: ["foundation", "process"],
  /** Calls, events, REST for calls. */
  communication: ["foundation", "process", "driver"],
  /** Clients of the platform: stores of settings, registries, the cluster, the proxy. */
  platform: ["foundation", "process", "driver", "communication"],
  /** The shell that every service of this repository shares. */
  "service-defaults": ["foundation", "process", "driver", "communication", "platform"],
  /** Generated from protos/, for all projects. */
  contracts: [],
  /** A service. No app imports another: they communicate over the network. */
  app: [...libraries, "contracts"],
  /** Runs, builds and checks the services. The stack starts apps as processes and imports none. */
  tool: [...libraries, "contracts", "tool"],
  /** Across running processes. */
  test: [...libraries, "contracts", "tool", "test"],
};

/**
 * Tests beside the code may also use contracts, tools, and an app with the tag `stand-in`, which
 * replaces another company's service.
 */
const testsMayImport = ["contracts", "tool", "stand-in"];

/** Returns one sentence for each import that points the wrong way. */
export function checkLayers(projects: readonly Project[]): string[] {
  const byName = new Map(projects.map((project) => [project.name, project]));
  const problems: string[] = [];
  for (const project of projects) {
    const layer = layerOf(project);
    const allowed = layer === undefined ? undefined : mayImport[layer];
    if (allowed === undefined) {
      problems.push(`${project.name} needs one tag layer:NAME with NAME of ${Object.keys(mayImport).join(", ")}`);
      continue;
    }
    for (const name of project.dependencies) {
      const target = byName.get(name);
      if (target !== undefined && !allowed.includes(layerOf(target) ?? "")) {
        problems.push(`${project.name} (${layer}) must not import ${name} (${layerOf(target)})`);
      }
    }
    for (const name of project.devDependencies) {
      const target = byName.get(name);
      if (target === undefined || allowed.includes(layerOf(target) ?? "")) continue;
      if (![layerOf(target), ...target.tags].some((tag) => testsMayImport.includes(tag ?? ""))) {
        problems.push(`tests of ${project.name} (${layer}) must not import ${name} (${layerOf(target)})`);
      }
    }
  }
  return problems;
}

function layerOf(project: Project): string | undefined {
  const layers = project.tags.filter((tag) => tag.startsWith("layer:"));
  return layers.length === 1 ? layers[0]?.slice("layer:".length) : undefined;
}
