/** `npm run prose`: fails with one line for each text that breaks a rule of language. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { flag, runCommand, UsageError } from "@plumbline/tools-stack/command";
import { checkFile, isChecked } from "./check-file.ts";
import { folderOf, notDone } from "./folders.ts";

const root = resolve(import.meta.dirname, "../../../..");

await runCommand(
  {
    name: "npm run prose",
    about:
      "Checks the language of comments, texts and documents: banned phrases, starts of sentences, lengths of lines.",
    wordsAs: "[PATH...]",
    take: "free",
    options: { count: flag("prints the number of findings of each folder instead of the findings") },
    notes: ["PATH checks these files and folders only, also those that are not done yet."],
  },
  ({ words, values }) => {
    const paths = words.map((path) => relative(root, resolve(process.env["INIT_CWD"] ?? ".", path)));
    const missing = paths.filter((path) => !existsSync(resolve(root, path)));
    if (missing.length > 0) {
      throw new UsageError(`there is no ${missing.join(", ")}`);
    }
    const isAsked = (file: string) =>
      paths.length === 0
        ? values.count || !notDone.includes(folderOf(file))
        : paths.some((path) => path === "" || file === path || file.startsWith(`${path}/`));
    const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 64 << 20,
    })
      .split("\n")
      .filter((file) => isChecked(file) && isAsked(file) && existsSync(resolve(root, file)));

    const counts = new Map<string, number>();
    let total = 0;
    for (const file of files) {
      const findings = checkFile(file, readFileSync(resolve(root, file), "utf8"));
      total += findings.length;
      counts.set(folderOf(file), (counts.get(folderOf(file)) ?? 0) + findings.length);
      if (!values.count) for (const { line, problem } of findings) console.error(`${file}:${line}: ${problem}`);
    }
    if (values.count) {
      for (const [folder, count] of [...counts].toSorted(([, a], [, b]) => b - a)) {
        console.log(`${String(count).padStart(6)}  ${folder}${notDone.includes(folder) ? "  (not done)" : ""}`);
      }
    }
    console.log(
      total === 0 ? `prose: ${files.length} files are clean` : `prose: ${total} findings in ${files.length} files`,
    );
    return total === 0 || values.count ? 0 : 1;
  },
);
