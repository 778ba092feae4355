/** Rules for GitHub's workflows: they run with this repository's rights, on texts of strangers. */
import { parse } from "yaml";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Workflow {
  readonly on?: unknown;
  readonly permissions?: unknown;
  readonly jobs?: Readonly<
    Record<string, { readonly uses?: string; readonly permissions?: unknown; readonly steps?: readonly Step[] }>
  >;
}

/** Returns one sentence for each rule that a workflow breaks. The texts are given by their path. */
export function checkWorkflows(workflows: Readonly<Record<string, string>>): string[] {
  return Object.entries(workflows).flatMap(([path, text]) => {
    const workflow = parse(text) as Workflow;
    const jobs = Object.values(workflow.jobs ?? {});
    const steps = jobs.flatMap((job) => job.steps ?? []);
    return [
      ...[...jobs, ...steps]
        .flatMap(({ uses }) => uses ?? [])
        .filter((action) => !action.startsWith("./") && !/@[\da-f]{40}$/.test(action))
        .map((action) => `${action} is not named by its commit`),
      ...(onlyReads(workflow.permissions)
        ? []
        : ["permissions of the workflow are not `contents: read`: give a job more"]),
      ...jobs
        .filter(({ permissions }) => typeof permissions === "string")
        .map(() => "a job has all permissions: name each"),
      ...(JSON.stringify(workflow.on ?? "").includes("pull_request_target")
        ? ["pull_request_target runs a stranger's code with the rights of this repository"]
        : []),
      ...steps
        .filter(
          ({ uses, with: given }) => uses?.startsWith("actions/checkout@") && given?.["persist-credentials"] !== false,
        )
        .map(() => "a checkout leaves its token in the folder: persist-credentials: false"),
      ...steps
        .filter(({ run }) => run?.includes("${{"))
        .map(({ run = "" }) => `an expression inside a script (${run.split("\n", 1)[0]}): hand it over by env`),
    ].map((problem) => `${path}: ${problem}`);
  });
}

function onlyReads(permissions: unknown): boolean {
  return JSON.stringify(permissions) === '{"contents":"read"}';
}
