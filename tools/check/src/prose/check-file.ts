import { basename, extname } from "node:path";
import { type CodeLanguage, scanCode } from "./code.ts";
import { scanHash } from "./hash.ts";
import { scanMarkdown } from "./markdown.ts";
import { type Finding, isDirective, lengthOf, sentencesIn, wordsIn } from "./rules.ts";

const codeLanguages: Readonly<Record<string, CodeLanguage>> = {
  ".ts": "typescript",
  ".js": "typescript",
  ".mjs": "typescript",
  ".go": "go",
  ".proto": "proto",
};
const hashFiles = /(?:\.(?:sh|ya?ml|hcl|env)|(?:^|\/)(?:Dockerfile|\.env|\.gitignore|\.dockerignore|\.ci\/run))$/;
const generated = /(?:^|\/)gen\/|\.pb\.go$|(?:^|\/)third_party\/|(?:^|\/)package-lock\.json$/;
// These tests hold the phrases that the check must find.
const ownTests = /^tools\/check\/src\/prose\/[\w-]+\.test\.ts$/;

/** Returns true if the check reads this file: not generated, and not of another project. */
export function isChecked(path: string): boolean {
  return (
    !generated.test(path) &&
    !ownTests.test(path) &&
    (extname(path) === ".md" || extname(path) in codeLanguages || hashFiles.test(path))
  );
}

/** Finds whatever breaks a rule in one file, in the order of its lines. */
export function checkFile(path: string, source: string): Finding[] {
  return findingsOf(path, source).toSorted((a, b) => a.line - b.line);
}

function findingsOf(path: string, source: string): Finding[] {
  const lines = source.split("\n");
  const lengths = (numbers: ReadonlySet<number>) =>
    [...numbers].flatMap((number) => {
      const text = lines[number - 1] ?? "";
      return isDirective(text.replace(/^\s*(?:\/\/|#|\/?\*+)/, "")) ? [] : lengthOf(number, text);
    });
  if (extname(path) === ".md") {
    const { pieces, proseLines } = scanMarkdown(source);
    const paragraphs = basename(path) === "README.md" ? pieces.filter(({ kind }) => kind === "paragraph") : [];
    return [...pieces.flatMap(wordsIn), ...paragraphs.flatMap(sentencesIn), ...lengths(proseLines)];
  }
  const language = codeLanguages[extname(path)];
  const { pieces, commentLines } = language === undefined ? scanHash(source) : scanCode(source, language);
  return [...pieces.flatMap(wordsIn), ...lengths(commentLines)];
}
