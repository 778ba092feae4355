/**
 * The bill of materials of a bundle, in CycloneDX 1.5. The bundler says what is in it: the app has
 * more dependencies, and npm counts fewer as production. The same bundle has the same bill, byte
 * for byte: it has no date, and its serial number is made from its content.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { type BuildResult, build, version as bundler } from "esbuild";
import { type BundledPackage, bundledFiles, packageOf, packagesOf, refOf } from "./bundled-packages.ts";
import { licenceOf } from "./licence.ts";
import { appOptions } from "./options.ts";

interface Hash {
  readonly alg: "SHA-256" | "SHA-512";
  /** In hexadecimal digits. */
  readonly content: string;
}

interface Component {
  readonly "bom-ref": string;
  readonly type: "application" | "library" | "file";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly Hash[];
  readonly licenses?: readonly ({ readonly expression: string } | { readonly license: { readonly id: string } })[];
}

/** A file of the bundle, and its hash. */
interface BundleFile {
  readonly type: "file";
  readonly name: string;
  readonly hashes: readonly Hash[];
}

export interface Bill {
  readonly serialNumber: string;
  readonly metadata: { readonly component: Component & { readonly components: readonly BundleFile[] } };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

export type Bundle = BuildResult<{ metafile: true; write: false }>;

/** Builds the bundle of the app in a folder in memory. */
export function bundleOf(folder: string): Promise<Bundle> {
  return build({ ...appOptions(folder), metafile: true, write: false });
}

/**
 * Returns the bill of an app's bundle. `root` is the folder of package-lock.json, which has the
 * hashes of packages. Throws if a package of others has no hash there, or names no licence.
 */
export function billOf({ metafile, outputFiles }: Bundle, folder: string, root: string): Bill {
  const read = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));
  const ours = licenceOf(read("package.json"));
  const entries = read("package-lock.json").packages as Readonly<Record<string, { readonly integrity?: string }>>;

  const component = (one: BundledPackage): Component => {
    const ref = refOf(one);
    const path = relative(realpathSync(root), one.folder).replaceAll("\\", "/");
    const foreign = path.includes("node_modules/");
    const integrity = entries[path]?.integrity;
    if (foreign && integrity === undefined)
      throw new Error(`${ref}: package-lock.json has no hash for ${path}: npm ci`);
    const licence = licenceOf(one) ?? (foreign ? undefined : ours);
    if (licence === undefined) throw new Error(`${ref} names no licence: take another package`);
    return {
      "bom-ref": ref,
      type: "library",
      name: one.name,
      version: one.version,
      purl: `pkg:npm/${one.name.replace("@", "%40")}@${one.version}`,
      ...(integrity !== undefined && {
        hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.replace("sha512-", ""), "base64").toString("hex") }],
      }),
      licenses: [licence.includes(" ") ? { expression: licence } : { license: { id: licence } }],
    };
  };

  const files = bundledFiles(metafile);
  const app = packageOf(join(folder, "package.json"));
  const packages = packagesOf(files, folder);
  packages.delete(refOf(app));
  const scripts = outputFiles
    .filter(({ path }) => path.endsWith(".js"))
    .map(({ path, contents }): BundleFile => ({ type: "file", name: basename(path), hashes: [sha256(contents)] }));
  const content = {
    metadata: {
      lifecycles: [{ phase: "build" }],
      tools: { components: [{ type: "application", name: "esbuild", version: bundler }] },
      component: { ...component(app), type: "application" as const, components: scripts },
    },
    components: [...packages.values()].map(component),
    dependencies: edges(metafile, files, folder),
  };
  const digest = sha256(JSON.stringify(content)).content;
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: `urn:uuid:${digest.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-8$3-8$4-$5")}`,
    version: 1,
    ...content,
  } as Bill;
}

/** Returns the packages that each package of the bundle imports, as far as they are in it. */
function edges({ inputs }: Bundle["metafile"], files: readonly string[], folder: string): Bill["dependencies"] {
  const refs = new Map(
    files
      .map((file) => [file, resolve(folder, file)] as const)
      .filter(([, path]) => existsSync(path))
      .map(([file, path]) => [file, refOf(packageOf(path))] as const),
  );
  const found = new Map<string, Set<string>>([...refs.values()].map((ref) => [ref, new Set()]));
  for (const [file, ref] of refs) {
    for (const { path } of inputs[file]?.imports ?? []) {
      const other = refs.get(path);
      if (other !== undefined && other !== ref) found.get(ref)?.add(other);
    }
  }
  return [...found.entries()]
    .map(([ref, others]) => ({ ref, dependsOn: [...others].toSorted() }))
    .toSorted((a, b) => (a.ref < b.ref ? -1 : 1));
}

function sha256(content: string | Uint8Array): Hash {
  return { alg: "SHA-256", content: createHash("sha256").update(content).digest("hex") };
}
