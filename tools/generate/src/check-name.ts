import { namesOf, pluralOf } from "./names.ts";
import type { Tree } from "./tree.ts";

/** Names that the repository, its engines or its protocols use already, with the reason. */
const reserved: ReadonlyMap<string, string> = new Map([
  ...["postgres", "kafka", "redis", "toxiproxy", "jaeger", "prometheus", "collector", "etcd", "consul", "envoy"].map(
    (name) => [name, "an engine has this name in docker-compose.yml"] as const,
  ),
  ...["google", "grpc", "buf", "opentelemetry", "plumbline"].map(
    (name) => [name, "protobuf packages of this name belong to others"] as const,
  ),
  ...["messaging", "contracts", "service-defaults"].map((name) => [name, "it is a part of the house"] as const),
  ...["health", "reflection", "server", "node", "npm", "test", "e2e"].map(
    (name) => [name, "the tools give it a meaning of their own"] as const,
  ),
]);

/** Words that TypeScript or SQL do not take as a name. */
const keywords = new Set(
  `abstract any as async await boolean break case catch class const constructor continue debugger declare default
  delete do else enum export extends false finally for from function get if implements import in infer instanceof
  interface is let module namespace never new null number object of package private protected public readonly
  require return set static string super switch symbol this throw true try type typeof undefined unknown using var
  void while with yield
  all analyse analyze and array asc both cast check collate column constraint create current deferrable desc
  distinct end except fetch foreign grant group having initially intersect into lateral leading limit localtime not
  offset on only or order placing primary references returning row select some table then to trailing union unique
  user when where window`.split(/\s+/),
);

/**
 * Returns why the name cannot be that of a new service, and undefined if it can. The reason says
 * what to change.
 */
export function whyNotName(name: string, tree: Tree): string | undefined {
  if (!/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/.test(name)) {
    return "a name is in kebab-case: small letters, digits and single dashes, each word starting with a letter";
  }
  if (name.length < 2 || name.length > 30) return "a name has 2 to 30 characters";
  const reason = reserved.get(name);
  if (reason !== undefined) return `it is reserved: ${reason}`;
  const { pascal, snake } = namesOf(name);
  if (keywords.has(name) || pascal in globalThis) return "TypeScript or SQL gives this word a meaning of its own";
  for (const folder of ["apps", "libs", "tools", "tests"]) {
    if (tree.children(folder).includes(name)) return `${folder}/${name} exists already`;
  }
  for (const other of tree.children("apps")) {
    const [short, long] = other.length < name.length ? [other, name] : [name, other];
    if (long.startsWith(`${short}-`)) {
      return `variables of ${long} would begin like those of ${short}, which refuses unknown ones`;
    }
  }
  if (tree.exists(`protos/${snake}`)) return `protos/${snake} exists already`;
  const route = `"/v1/${pluralOf(name)}`;
  for (const folder of tree.children("protos")) {
    for (const file of tree.exists(`protos/${folder}/v1`) ? tree.children(`protos/${folder}/v1`) : []) {
      if (tree.read(`protos/${folder}/v1/${file}`, "utf8")?.includes(route) === true) {
        return `its route /v1/${pluralOf(name)} is that of protos/${folder}/v1/${file}`;
      }
    }
  }
  return undefined;
}
