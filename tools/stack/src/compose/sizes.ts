import { ownServices } from "../services.ts";
import { builtImages } from "./compose.ts";
import type { Variables } from "./docker.ts";
import { savedImages } from "./saved-images.ts";
import { sizeReport, sizeTargets } from "./size-report.ts";

/** The targets are for the services that are ours. */
const services: ReadonlySet<string> = new Set(ownServices.map(({ name }) => name));

/** Prints the compressed size of each image. Returns 1 when a target is missed. */
export async function sizes(print: (text: string) => void, variables: Variables = {}): Promise<number> {
  const images = await builtImages(variables);
  const saved = await savedImages([...images.values()]);
  const byService = new Map(
    [...images].flatMap(([name, image]) => {
      const found = saved.find((one) => one.name === image);
      return found === undefined ? [] : [[name, found] as const];
    }),
  );
  const { text, ok } = sizeReport(byService, services);
  print(
    `${text}\n\ngzip; targets: together < ${sizeTargets.together / 1e6} MB, each image's own < ${sizeTargets.own / 1e6} MB`,
  );
  return ok ? 0 : 1;
}
