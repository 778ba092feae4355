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

/**
 * Returns an error's message with those of its causes, or the error itself if it is a mistake in
 * our code.
 */
export function messageOf(error: unknown): unknown {
  const isOurMistake = error instanceof TypeError || error instanceof ReferenceError || error instanceof SyntaxError;
  if (!(error instanceof Error) || isOurMistake) return error;
  // An error that ended the work, and one of the clean-up after it.
  if (error instanceof SuppressedError)
    return `${String(messageOf(error.suppressed))}\n${String(messageOf(error.error))}`;
  if (error instanceof AggregateError) return error.errors.map((one) => String(messageOf(one))).join("\n");
  const { cause } = error;
  const isSaid = !(cause instanceof Error) || error.message.includes(cause.message);
  return isSaid ? error.message || error : `${error.message}\n  because: ${String(messageOf(cause))}`;
}
