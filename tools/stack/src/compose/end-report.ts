import type { Container } from "./compose.ts";
import { table } from "./table.ts";

/** A JVM that was asked to end and did in good order says so by 128 + 15, whatever its shutdown hooks did. */
const clean: Readonly<Record<string, readonly number[]>> = { kafka: [0, 143] };

/** How containers ended. Ending by SIGKILL, which is what follows the grace, is 137. */
export function endReport(ended: readonly Container[]): { text: string; ok: boolean } {
  const isClean = ({ Service, State, ExitCode }: Container) =>
    State === "exited" && (clean[Service] ?? [0]).includes(ExitCode);
  const verdict = (container: Container) => {
    if (isClean(container)) return "";
    if (container.State !== "exited") return `NOT STOPPED: ${container.State}`;
    return container.ExitCode === 137 ? "KILLED: not done within its grace" : "FAILED";
  };
  const rows = ended.map((container) => [container.Name, String(container.ExitCode), verdict(container)]);
  return { text: table(["container", "exit code", ""], rows), ok: ended.length > 0 && ended.every(isClean) };
}
