/**
 * Writes `dist/sbom.cdx.json` for the app in the current folder: the packages in its bundle in
 * CycloneDX, with npm's descriptions. The bundler names the packages: the app has more
 * dependencies, and npm counts fewer as production. Fails if npm does not know a package of the
 * bundle.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { bundledPackages } from "./bundled-packages.ts";
import { appOptions } from "./options.ts";

interface Component {
  readonly "bom-ref": string;
  readonly type: string;
  readonly purl: string;
}

interface Bill {
  readonly metadata: { component: Component };
  components: Component[];
  dependencies: { readonly ref: string; dependsOn: string[] }[];
}

const { name, version } = JSON.parse(readFileSync("package.json", "utf8")) as { name: string; version: string };
const args = ["sbom", "--sbom-format", "cyclonedx", "--sbom-type", "application"];
// Runs in the root of the repository: in the folder of a workspace npm would list only that folder.
const text = execFileSync("npm", [...args, "--workspace", name], {
  cwd: import.meta.dirname + "/../..",
  encoding: "utf8",
});
const bill = JSON.parse(text) as Bill;

const { metafile } = await build({ ...appOptions(), write: false, metafile: true });
const bundled = new Set(bundledPackages(metafile));
const known = new Map(bill.components.map((component) => [nameAndVersion(component), component]));
const missing = [...bundled].filter((found) => !known.has(found));
if (missing.length > 0)
  throw new Error(`npm does not know these packages in the bundle of ${name}: ${missing.join(", ")}`);

// npm describes the repository, but the subject of this bill is the app.
const app = known.get(`${name}@${version}`);
if (app === undefined) throw new Error(`npm sbom does not list ${name}@${version}`);
bill.metadata.component = { ...app, type: "application" };
bill.components = [...bundled].flatMap((found) => (known.get(found) === app ? [] : (known.get(found) ?? [])));
const refs = new Set([app, ...bill.components].map((component) => component["bom-ref"]));
bill.dependencies = bill.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));

mkdirSync("dist", { recursive: true });
writeFileSync("dist/sbom.cdx.json", `${JSON.stringify(bill, null, 2)}\n`);

function nameAndVersion({ purl }: Component): string {
  return decodeURIComponent(purl.replace(/^pkg:npm\//, "").replace(/[?#].*$/, ""));
}
