/** The arrows between projects: what a project of each layer may import. The tag `layer:NAME` in package.json states the layer. */

export interface Project {
  readonly name: string;
  readonly tags: readonly string[];
  /** Names of the projects it depends on at run time. */
  readonly dependencies: readonly string[];
  /** Names of the projects only its tests and scripts use. */
  readonly devDependencies: readonly string[];
}

const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: ["base"],
  process: ["base"],
  transport: ["base", "process"],
  port: ["base", "process", "transport"],
  contracts: [],
  app: ["base", "process", "transport", "port", "contracts"],
  testing: ["base"],
  tool: ["base", "process", "transport", "port", "contracts", "testing", "tool"],
  e2e: ["base", "process", "transport", "port", "contracts", "testing", "tool"],
};

/** Tests may also use real engines, the contracts and a tool to talk to; never an app. */
const testsMayImport = ["testing", "contracts", "tool"];

/** One sentence for each arrow that points the wrong way; none when all is well. */
export function checkLayers(projects: readonly Project[]): string[] {
  const layers = new Map(projects.map((project) => [project.name, layerOf(project)]));
  const problems: string[] = [];
  for (const project of projects) {
    const layer = layerOf(project);
    const allowed = layer === undefined ? undefined : mayImport[layer];
    if (allowed === undefined) {
      problems.push(`${project.name} needs one tag layer:NAME with NAME of ${Object.keys(mayImport).join(", ")}`);
      continue;
    }
    for (const name of project.dependencies) {
      const target = layers.get(name);
      if (target !== undefined && !allowed.includes(target)) {
        problems.push(`${project.name} (${layer}) must not import ${name} (${target})`);
      }
    }
    for (const name of project.devDependencies) {
      const target = layers.get(name);
      if (target !== undefined && !allowed.includes(target) && !testsMayImport.includes(target)) {
        problems.push(`tests of ${project.name} (${layer}) must not import ${name} (${target})`);
      }
    }
  }
  return problems;
}

function layerOf(project: Project): string | undefined {
  const layers = project.tags.filter((tag) => tag.startsWith("layer:"));
  return layers.length === 1 ? layers[0]?.slice("layer:".length) : undefined;
}
