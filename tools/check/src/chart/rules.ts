/** Rules that every rendering of the chart keeps, whatever its values. */
import type { KubeObject, Pod } from "./render.ts";

/** Returns one sentence for each rule that the objects break. */
export function brokenRules(objects: readonly KubeObject[]): string[] {
  const deployments = objects.filter(({ kind }) => kind === "Deployment");
  const scaled = new Set(
    objects
      .filter(({ kind }) => kind === "HorizontalPodAutoscaler" || kind === "ScaledObject")
      .map(({ spec }) => spec?.scaleTargetRef?.name),
  );
  return [
    ...objects.flatMap((object) =>
      Object.keys(object.metadata.annotations ?? {}).some((name) => name.startsWith("helm.sh/hook"))
        ? [`${named(object)} is a hook: a hook may not be created, or too early`]
        : [],
    ),
    ...deployments.flatMap((deployment) => {
      const { name } = deployment.metadata;
      const pod = deployment.spec?.template?.spec ?? { containers: [] };
      return [
        ...(scaled.has(name) && deployment.spec?.replicas !== undefined
          ? [`${named(deployment)} has spec.replicas beside an autoscaler`]
          : []),
        ...podProblems(pod).map((problem) => `${named(deployment)} ${problem}`),
        ...["PodDisruptionBudget", "NetworkPolicy", "ServiceAccount"]
          .filter((kind) => !objects.some((other) => other.kind === kind && other.metadata.name === name))
          .map((kind) => `${named(deployment)} has no ${kind} of its name`),
      ];
    }),
  ];
}

function named({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.name}`;
}

function podProblems(pod: Pod): string[] {
  const problems: string[] = [];
  const expect = (isRight: boolean, problem: string) => {
    if (!isRight) problems.push(problem);
  };
  expect(pod.automountServiceAccountToken === false, "mounts a token");
  expect(pod.enableServiceLinks === false, "gets variables for each Service");
  expect(pod.securityContext?.runAsNonRoot === true, "may run as root");
  expect(pod.securityContext?.seccompProfile?.type === "RuntimeDefault", "has no seccomp profile");
  for (const one of [...(pod.initContainers ?? []), ...pod.containers]) {
    const { name, securityContext, resources, volumeMounts = [] } = one;
    expect(securityContext?.allowPrivilegeEscalation === false, `${name} may gain privileges`);
    expect(securityContext?.readOnlyRootFilesystem === true, `${name} may write its file system`);
    expect(securityContext?.capabilities?.drop?.includes("ALL") === true, `${name} keeps capabilities`);
    expect(resources?.requests?.["cpu"] !== undefined, `${name} requests no processor`);
    expect(
      resources?.limits?.["memory"] !== undefined && resources.limits["memory"] === resources.requests?.["memory"],
      `${name} needs a memory limit that equals its request`,
    );
    expect(
      !volumeMounts.some(({ subPath }) => subPath !== undefined),
      `${name} mounts a subPath, which is never renewed`,
    );
  }
  return problems;
}
