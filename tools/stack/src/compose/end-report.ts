import type { Container } from "./compose.ts";
import { table } from "./table.ts";

/**
 * A JVM that ends in good order after SIGTERM reports 128 + 15, whatever its shutdown hooks did.
 */
const cleanCodes: Readonly<Record<string, readonly number[]>> = { kafka: [0, 143] };

/** Returns true for a container that ended by itself, with a code that means success. */
export function isClean({ Service, State, ExitCode }: Container): boolean {
  return State === "exited" && (cleanCodes[Service] ?? [0]).includes(ExitCode);
}

/** Reports how containers ended. The code 137 means SIGKILL, which follows the grace. */
export function endReport(ended: readonly Container[]): { text: string; ok: boolean } {
  const verdict = (container: Container) => {
    if (isClean(container)) return "";
    if (container.State !== "exited") return `NOT STOPPED: ${container.State}`;
    return container.ExitCode === 137 ? "KILLED: still running at the end of its grace" : "FAILED";
  };
  const rows = ended.map((container) => [container.Name, String(container.ExitCode), verdict(container)]);
  return { text: table(["container", "exit code", ""], rows), ok: ended.length > 0 && ended.every(isClean) };
}
