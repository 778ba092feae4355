import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { EngineError } from "../engine-error.ts";

const leastJava = 17;

/** Returns the reason why no broker can run on a JVM of this machine, or undefined if one can. */
export function missingForJvm(): string | undefined {
  const { error, stderr } = spawnSync("java", ["-version"], { encoding: "utf8" });
  return javaProblem(error === undefined ? stderr : undefined) ?? mavenProblem();
}

/** Judges what `java -version` printed, undefined where there is no `java`. */
export function javaProblem(output: string | undefined): string | undefined {
  const major = Number(/version "(\d+)/.exec(output ?? "")?.[1] ?? 0);
  return major < leastJava ? `Java ${leastJava} or later is not installed` : undefined;
}

/** Looks for Maven on PATH. */
export function mavenProblem(path: string = process.env["PATH"] ?? ""): string | undefined {
  const isThere = path.split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, "mvn")));
  return isThere ? undefined : "Maven (mvn), which fetches the broker's jars, is not installed";
}

/** Runs a program to its end. Rejects with the end of its output if it fails. */
export async function runTool(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-4_000);
    });
  }
  const code = await new Promise<number | null>((settle, fail) => {
    child.once("error", fail);
    child.once("close", settle);
  });
  if (code !== 0)
    throw new EngineError("start_failed", `${command} ${args[0] ?? ""} failed (exit code ${code}):\n${output}`);
}

/**
 * Returns flags for a fast start of a broker that lives for minutes: C1 only, the serial collector,
 * a small heap, no performance data file.
 */
export function jvmArguments(classPath: string): string[] {
  return [
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-cp",
    classPath,
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
  ];
}
