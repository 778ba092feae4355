/**
 * The command lines of this repository: options, help, wrong usage, colours and progress, alike for
 * all of them.
 */
export { choice, choices, decimal, flag, nearest, oneOf, text, texts, UsageError, whole } from "./options.ts";
export { type CommandSpec, helpOf, type Line, readCommand } from "./read-command.ts";
export { runCommand } from "./run-command.ts";
export { hasColors, isLive, Progress, paint } from "./terminal.ts";
