import { builtImages } from "./compose.ts";
import { savedImages } from "./saved-images.ts";
import { sizeReport, sizeTargets } from "./size-report.ts";

/** The targets are for these; the supplier stands in for somebody else's. */
const services = new Set(["gateway", "greeter", "orders", "worker"]);

export async function sizes(print: (text: string) => void): Promise<number> {
  const images = await builtImages();
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
