/**
 * Checks the protos of other projects: each folder `protos/third_party/NAME` holds the project's
 * licence, and a README with a table that says for every file where it comes from and in which
 * version.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, matchesGlob } from "node:path";

interface Origin {
  /** The paths of a row, with globs; a folder stands for everything below it. */
  readonly paths: readonly string[];
  readonly source: string;
  readonly version: string;
}

/** Returns one sentence for each thing that is missing below `root`. */
export function checkThirdParty(root: string): string[] {
  const folders = globSync("protos/third_party/*/", { cwd: root }).toSorted();
  return folders.flatMap((folder) => {
    const files = globSync("**/*.proto", { cwd: join(root, folder) }).toSorted();
    return [...licenceProblems(join(root, folder)), ...originProblems(join(root, folder), files)].map(
      (problem) => `${folder}: ${problem}`,
    );
  });
}

function licenceProblems(folder: string): string[] {
  const [file] = globSync("{LICENSE,LICENCE,COPYING}*", { cwd: folder });
  if (file === undefined) return ["no LICENSE: copy the file from the project"];
  return readFileSync(join(folder, file), "utf8").trim() === "" ? [`${file} is empty`] : [];
}

function originProblems(folder: string, files: readonly string[]): string[] {
  const readme = join(folder, "README.md");
  const origins = existsSync(readme) ? originsOf(readFileSync(readme, "utf8")) : undefined;
  if (origins === undefined) return ["no README.md with a table of files, source and version"];
  const incomplete = origins
    .filter(({ source, version }) => source === "" || version === "")
    .map(({ paths }) => `README.md has no source or no version for ${paths.join(", ")}`);
  const unknown = files
    .filter((file) => !origins.some(({ paths }) => paths.some((path) => covers(path, file))))
    .map((file) => `README.md does not say where ${file} comes from`);
  return [...incomplete, ...unknown];
}

function covers(path: string, file: string): boolean {
  const trimmed = path.replace(/\/$/, "");
  return file === trimmed || file.startsWith(`${trimmed}/`) || matchesGlob(file, trimmed);
}

/**
 * Returns the rows of the table whose head is files, source, version; undefined where there is
 * none.
 */
function originsOf(markdown: string): Origin[] | undefined {
  const rows = markdown
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const head = rows.findIndex((cells) => cells.join(" ").toLowerCase() === "files source version");
  if (head === -1) return undefined;
  return rows.slice(head + 2).map(([paths = "", source = "", version = ""]) => ({
    paths: [...paths.matchAll(/`([^`]+)`/g)].map(([, path = ""]) => path),
    source,
    version,
  }));
}
