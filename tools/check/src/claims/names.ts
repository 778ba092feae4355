import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { blocksOf } from "./markdown-blocks.ts";

interface Manifest {
  readonly name: string;
  readonly folder: string;
  readonly targets: ReadonlySet<string>;
}

/** The projects of the workspace and their scripts. */
export interface Workspace {
  readonly root: string;
  readonly projects: readonly Manifest[];
}

// Files of config/ are the reader's own.
const folders = "apps|libs|tools|tests|docs|deploy|protos";
const pathPattern = new RegExp(`(?<![\\w./@:-])(?:${folders})/[\\w./@{},*-]+`, "g");

export function readWorkspace(root: string): Workspace {
  const { workspaces = [] } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { workspaces?: string[] };
  const files = [
    "package.json",
    ...globSync(
      workspaces.map((folder) => `${folder}/package.json`),
      { cwd: root },
    ),
  ];
  const projects = files.map((file): Manifest => {
    const { name, scripts = {}, nx } = JSON.parse(readFileSync(join(root, file), "utf8"));
    const inferred = ["generate", "breaking"].filter((target) => target in scripts);
    return {
      name,
      folder: dirname(file),
      targets: new Set([...Object.keys(scripts), ...Object.keys(nx?.targets ?? {}), ...inferred]),
    };
  });
  return { root, projects };
}

/** Finds the scripts, projects, files and links that a page names and that do not exist. */
export function namesNotFound(path: string, page: string, workspace: Workspace): string[] {
  const code = [
    ...blocksOf(page).map(({ text }) => text),
    ...[...page.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text ?? ""),
  ];
  return [
    ...new Set([
      ...code.flatMap((text) => commandProblems(text, dirname(path), workspace)),
      ...code.flatMap((text) => pathProblems(text, workspace.root)),
      ...linkProblems(path, page, workspace.root),
    ]),
  ];
}

// A command on a page of a project may be one for the project's own folder.
function commandProblems(text: string, own: string, { root, projects }: Workspace): string[] {
  const problems: string[] = [];
  const project = (name: string) => projects.find((known) => known.name === name || known.folder === name);
  const isPlaceholder = (name: string) => /^[A-Z<{$]/.test(name) || name.includes("…");
  const has = (name: string, target: string) => {
    if (isPlaceholder(name) || isPlaceholder(target)) return;
    const found = project(name);
    if (found === undefined) problems.push(`there is no project ${name}`);
    else if (!found.targets.has(target)) problems.push(`${name} has no script ${target}`);
  };
  for (const [, script = "", rest = ""] of text.matchAll(
    /\bnpm (?:run (?:-s )?([\w:.<-]+)|(?:start|test)\b)([^\n;&|]*)/g,
  )) {
    const target = script === "" ? "test" : script;
    const workspace = /(?:^|\s)(?:-w|--workspace)[ =](\S+)/.exec(rest)?.[1];
    if (workspace === undefined) {
      if (!project(own)?.targets.has(target)) has(projects[0]?.name ?? "", target);
    } else {
      has(workspace, target);
      for (const [file] of rest.matchAll(/(?<=\s)(?:src|test)\/\S+\.ts/g)) {
        const folder = project(workspace)?.folder ?? "";
        if (!existsSync(join(root, folder, file))) problems.push(`${folder} has no ${file}`);
      }
    }
    for (const name of /--projects=(\S+)/.exec(rest)?.[1]?.split(",") ?? []) has(name.replace(/["'`]/g, ""), "test");
  }
  for (const [, target = "", name = "", rest = ""] of text.matchAll(
    /\bnx (?!run|affected|graph|show|g |generate |reset|@)(\w+) (@plumbline\/[\w-]+)([^\n;&|]*)/g,
  )) {
    has(name, target);
    for (const [file] of rest.matchAll(/(?<=\s)(?:src|test)\/\S+\.ts/g)) {
      const folder = project(name)?.folder ?? "";
      if (!existsSync(join(root, folder, file))) problems.push(`${folder} has no ${file}`);
    }
  }
  for (const [, name = "", target = ""] of text.matchAll(/\bnx run (@plumbline\/[\w-]+):(\w+)/g)) has(name, target);
  return problems;
}

function pathProblems(text: string, root: string): string[] {
  return [...text.matchAll(pathPattern)].flatMap(([found]) => {
    const path = found.replace(/[.,:/]+$/, "");
    // A part in capitals stands for any name.
    if (/(?:^|\/)[A-Z_]+(?:\/|$)/.test(path) || /(?:^|\/)(?:gen|dist)(?:\/|$)/.test(path)) return [];
    const exists = /[*{]/.test(path) ? globSync(path, { cwd: root }).length > 0 : existsSync(join(root, path));
    return exists ? [] : [`there is no ${path}`];
  });
}

function linkProblems(path: string, page: string, root: string): string[] {
  const text = page.replace(/```[\s\S]*?```/g, "").replace(/`[^`\n]+`/g, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
    if (/^\w+:/.test(link)) return [];
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? path : normalize(join(dirname(path), file));
    if (!existsSync(join(root, target))) return [`there is no ${target}`];
    if (anchor === undefined || !target.endsWith(".md")) return [];
    return headings(readFileSync(join(root, target), "utf8")).includes(anchor)
      ? []
      : [`${target} has no heading #${anchor}`];
  });
}

function headings(page: string): string[] {
  return [...page.matchAll(/^#+\s+(.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-"),
  );
}
