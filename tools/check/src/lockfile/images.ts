/** Images of others are named by a version, so that a build tomorrow is the build of today. */
import { parse } from "yaml";

/**
 * Returns one sentence for each image without a version, in Dockerfiles and in files of YAML, by
 * their path. Templates are left out: their images come from values.
 */
export function checkImages(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files).flatMap(([path, text]) =>
    (/Dockerfile/.test(path) ? ofDockerfile(text) : ofYaml(parse(text, { merge: true, logLevel: "error" })))
      .filter((image) => !hasVersion(image))
      .map((image) => `${path}: the image ${image} names no version: NAME:VERSION or NAME@sha256:DIGEST`),
  );
}

function hasVersion(image: string): boolean {
  if (image.includes("@")) return /@sha256:[\da-f]{64}$/.test(image);
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag !== undefined && tag !== "latest";
}

/** Returns the images that a build starts from; stages of its own and `scratch` are none. */
function ofDockerfile(text: string): string[] {
  const lines = text.split("\n");
  const stages = new Set(["scratch", ...lines.flatMap((line) => /^FROM .* AS (\S+)$/i.exec(line)?.[1] ?? [])]);
  const from = /^(?:# syntax=|ARG \w*IMAGE=|FROM (?:--\S+ +)*|COPY (?:.* )?--from=)(\S+)/i;
  return lines
    .flatMap((line) => from.exec(line)?.[1] ?? [])
    .filter((image) => !stages.has(image) && !image.startsWith("$"));
}

/** Returns the texts under `image`, and those under `images`. */
function ofYaml(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => {
    if (key === "image" && typeof one === "string") return [one.replaceAll(/\$\{[^}]*\}/g, "VARIABLE")];
    if (key === "images" && typeof one === "object" && one !== null)
      return Object.values(one).filter((image) => typeof image === "string");
    return ofYaml(one);
  });
}
