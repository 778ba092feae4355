import { type Options, UsageError } from "./options.ts";
import { type CommandSpec, helpOf, type Line, readCommand } from "./read-command.ts";

/** The exit code of a wrong command line. */
const usageCode = 2;

/**
 * Runs a command: reads this process's line, and sets the exit code to what `main` returns, 0 where
 * it returns nothing. `--help` prints the help and exits 0. A wrong line prints one line and exits
 * 2. An error of `main` prints its message and exits 1; only a mistake in our own code prints its
 * stack.
 */
export async function runCommand<O extends Options>(
  spec: CommandSpec<O>,
  main: (line: Line<O>) => Promise<number | void> | number | void,
): Promise<void> {
  try {
    const line = readCommand(spec, process.argv.slice(2));
    if (line === undefined) console.log(helpOf(spec));
    else process.exitCode = (await main(line)) ?? process.exitCode ?? 0;
  } catch (error) {
    process.exitCode = error instanceof UsageError ? usageCode : 1;
    console.error(error instanceof UsageError ? `${spec.name}: ${error.message} (--help lists all)` : messageOf(error));
  }
}

function messageOf(error: unknown): unknown {
  const isOurMistake = error instanceof TypeError || error instanceof ReferenceError || error instanceof SyntaxError;
  return error instanceof Error && !isOurMistake ? error.message : error;
}
