import { type EtcdPorts, type EtcdServer, etcdPorts } from "./server.ts";
import { startTemporaryEtcd, type TestEtcd } from "./test-etcd.ts";

/** A cluster of the caller alone, whose members it may kill, pause and start again. */
export interface EtcdCluster extends AsyncDisposable {
  readonly members: readonly (EtcdServer & TestEtcd)[];
  /** Returns the member that leads. Rejects if there is none within ten seconds. */
  leader(): Promise<EtcdServer>;
}

const leaderMs = 10_000;

/** Starts a cluster of `size` members, as `startTemporaryEtcd` starts one. */
export async function startEtcdCluster(size = 3): Promise<EtcdCluster> {
  const all: { name: string; ports: EtcdPorts }[] = [];
  for (let index = 0; index < size; index++) all.push({ name: `member-${index}`, ports: await etcdPorts() });
  await using started = new AsyncDisposableStack();
  // Together: a member alone has no majority, and is not healthy.
  const members = await Promise.all(
    all.map(async (one) => started.use(await startTemporaryEtcd({ member: { ...one, all } }))),
  );
  const owned = started.move();
  return {
    members,
    async leader() {
      const until = performance.now() + leaderMs;
      while (performance.now() < until) {
        const found = await Promise.all(members.map(async (member) => ((await leads(member)) ? member : undefined)));
        const leader = found.find((member) => member !== undefined);
        if (leader !== undefined) return leader;
      }
      throw new Error(`the cluster has no leader within ${leaderMs} ms`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function leads({ url }: EtcdServer): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(1_000);
    const answer = await fetch(new URL("/v3/maintenance/status", url), { method: "POST", body: "{}", signal });
    const { leader, header } = (await answer.json()) as { leader?: string; header?: { member_id?: string } };
    return leader !== undefined && leader === header?.member_id;
  } catch {
    return false;
  }
}
