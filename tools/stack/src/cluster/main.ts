/** `npm run cluster`: the stack on Kubernetes, from the charts in deploy/helm. */
import { choices, flag, paint, runCommand, text, UsageError, whole } from "../command/index.ts";
import { docker, dockerShown, haveImages } from "../compose/docker.ts";
import { clusterRows, flagRows, ownServices, profileRows, rows } from "../services.ts";
import { runAll } from "./all.ts";
import { autoscale } from "./autoscale.ts";
import { drain } from "./drain.ts";
import { endToEnd } from "./end-to-end.ts";
import { faults, victims } from "./faults.ts";
import { installAndLeave } from "./install.ts";
import { operator, operatorParts } from "./operator/operator.ts";
import { prepareVersions, versionsOf } from "./previous.ts";
import { reachCluster, shown, type TestCluster, testCluster } from "./reach.ts";
import { rollouts } from "./rollouts.ts";
import { upgrade } from "./upgrade.ts";

const engineImages = ["postgres:18", "apache/kafka:4.4.0", "redis:8"];
const platformImages = [
  "quay.io/prometheus/prometheus:v3.16.0",
  "registry.k8s.io/prometheus-adapter/prometheus-adapter:v0.12.0",
  "traefik:v3.7",
  "envoyproxy/envoy:v1.40.0",
  "otel/opentelemetry-collector:0.165.0",
];
/** Set in the process that runs in the network of the test cluster. */
const insideVariable = "PLUMBLINE_CLUSTER_INSIDE";

await runCommand(
  {
    name: "npm run cluster",
    about: "Runs the stack on Kubernetes. Needs kubectl and helm.",
    words: {
      up: "starts the test cluster, builds the images and loads them into it",
      install: "installs engines for tests and the services in a namespace, and leaves them there",
      e2e: "does the same in a namespace of its own, runs the journeys and 200 orders, and removes it",
      rollouts: "restarts all pods of each service several times under load, in a namespace of its own",
      drain: "evicts each pod of the services in turn under load, in a namespace of its own",
      autoscale: "scales the gateway by requests and the worker by lag, in a namespace of its own",
      faults: "kills pods, the kubelet and engines in the middle of 200 orders, in a namespace of its own",
      operator: "kills, stops and cuts off operators, and runs the services as BackendServices",
      upgrade: "upgrades from an earlier commit and rolls back under load, in a namespace of its own",
      all: "runs all of e2e, faults, drain, operator, upgrade, autoscale and rollouts in turn: an hour or more",
      down: "ends the test cluster",
    },
    take: "one",
    options: {
      context: text("the context of kubectl, where there is no test cluster", { takes: "NAME" }),
      namespace: text("install: the namespace", { takes: "NAME", preset: "plumbline" }),
      tag: text("the tag of the images", { takes: "TAG", preset: process.env["PLUMBLINE_TAG"] ?? "dev" }),
      rate: whole("under load: requests a second", { least: 1, most: 1_000, preset: 20 }),
      watchers: whole("under load: watchers of orders", { least: 0, most: 200, preset: 20 }),
      times: whole("rollouts: how often", { least: 1, most: 100, preset: 10 }),
      from: text("upgrade: the earlier commit", { takes: "COMMIT", preset: "HEAD~1" }),
      envoy: flag("e2e, rollouts, drain: Envoy and the control plane in front of the gateway"),
      victims: choices("faults", victims),
      parts: choices("operator", operatorParts),
      kills: whole("operator: how often it is killed", { least: 1, most: 100, preset: 20 }),
      rest: whole("operator: the seconds of rest", { least: 10, most: 3_600, preset: 300 }),
      services: choices("rollouts", ["gateway", "orders", "worker", "greeter"]),
    },
    notes: [
      "PLUMBLINE_CLUSTER names the folder of a test cluster: its commands up, down, load-image and in.",
      "Without it, up and down do nothing, and the others need --context.",
      "Exit codes: 0 all targets are met, 1 one is missed, 2 wrong command line.",
    ],
  },
  async ({ words: [command], values }) => {
    const { context, namespace, tag } = values;
    const cluster = context === undefined ? testCluster() : undefined;
    if (command === "up") return await up(needed(cluster), tag);
    if (command === "down") {
      await needed(cluster).run("down");
      return 0;
    }
    if (command === "all") {
      const [file = "", ...options] = process.argv.slice(1).filter((one) => one !== "all");
      return await runAll(
        (verb) => shown([process.execPath, ...process.execArgv, file, verb, ...options]),
        console.log,
      );
    }
    const isInside = process.env[insideVariable] === "1";
    const versions = command === "upgrade" ? versionsOf(values.from, tag) : undefined;
    if (cluster !== undefined && !isInside) {
      if (versions !== undefined) await prepareVersions(cluster, versions, tag);
      // Addresses of pods lead somewhere only in the network of the cluster.
      const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
      return await cluster.inside(again, { [insideVariable]: "1" });
    }
    const reach = reachCluster(context, isInside);
    if (command === "install") return await installAndLeave({ reach, namespace, tag }, console.log);
    if (command === "rollouts") {
      return await rollouts({ ...values, reach }, console.log);
    }
    if (command === "autoscale") return await autoscale({ ...values, reach }, console.log);
    if (command === "faults") return await faults({ ...values, reach }, console.log);
    if (command === "operator") return await operator({ ...values, reach }, console.log);
    if (command === "drain") return await drain({ ...values, reach }, console.log);
    if (versions !== undefined) return await upgrade({ ...values, reach, versions }, console.log);
    return await endToEnd({ ...values, reach }, console.log);
  },
);

function needed(cluster: TestCluster | undefined): TestCluster {
  if (cluster === undefined) throw new UsageError("up and down need PLUMBLINE_CLUSTER, the folder of a test cluster");
  return cluster;
}

async function up(cluster: TestCluster, tag: string): Promise<number> {
  await haveImages([...engineImages, ...platformImages]);
  await cluster.run("up");
  await dockerShown(["compose", "--profile", "envoy", "build"]);
  const built = process.env["PLUMBLINE_TAG"] ?? "dev";
  for (const { name } of clusterRows) {
    const build = ["build", "--file", "deploy/docker/node.Dockerfile", "--build-arg", `APP=${name}`];
    await dockerShown([...build, "--tag", `plumbline/${name}:${built}`, "."]);
  }
  const images = [...rows, ...flagRows, ...profileRows, ...clusterRows].map(({ name }) => name);
  if (tag !== built) {
    for (const name of images) await docker(["tag", `plumbline/${name}:${built}`, `plumbline/${name}:${tag}`]);
  }
  await cluster.run(
    "load-image",
    ...images.map((name) => `plumbline/${name}:${tag}`),
    ...engineImages,
    ...platformImages,
  );
  console.log(`${paint("green", "ok")}  the test cluster runs, with images of ${ownServices.length} services`);
  return 0;
}
