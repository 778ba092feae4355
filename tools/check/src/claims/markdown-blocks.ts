export interface Block {
  readonly line: number;
  /** The words behind the fence: `sh run`. */
  readonly info: string;
  readonly text: string;
}

/** Returns the fenced blocks of a page. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; info: string; fence: string; lines: string[] } | undefined;
  for (const [index, line] of page.split("\n").entries()) {
    const [, fence, info] = /^\s*(`{3,}|~{3,})\s*(.*?)\s*$/.exec(line) ?? [];
    if (open === undefined) {
      if (fence !== undefined) open = { line: index + 1, info: info ?? "", fence, lines: [] };
    } else if (fence?.startsWith(open.fence) && info === "") {
      blocks.push({ line: open.line, info: open.info, text: open.lines.join("\n") });
      open = undefined;
    } else open.lines.push(line);
  }
  return blocks;
}

/** Returns a problem for a shell block whose info string is neither `sh` nor `sh run`. */
export function infoProblem({ info }: Block): string | undefined {
  const [language = "", ...words] = info.split(/\s+/);
  const isShell = /^(?:sh|bash|shell|console|zsh)$/.test(language);
  if (!isShell || info === "sh" || info === "sh run") return undefined;
  return language === "sh"
    ? `unknown word "${words.join(" ")}": only "run" is known`
    : `"${language}": shell blocks are "sh"`;
}

/** Returns the texts that a block says it prints: those behind `# =>`. */
export function expectedOutput({ text }: Block): string[] {
  return [...text.matchAll(/# => (.*)$/gm)].map(([, expected]) => (expected ?? "").trim());
}
