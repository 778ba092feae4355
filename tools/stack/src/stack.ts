/**
 * A running system, whatever runs it. Journeys, chaos, the demo and loads take one of these and run
 * on every adapter: processes of this machine (`openProcesses`), containers (`openCompose`), pods
 * (`openCluster`). A service is named as in services.ts.
 */
export interface Stack extends AsyncDisposable {
  /** The adapter, for messages. */
  readonly kind: "processes" | "compose" | "cluster";
  /** The names that `kill` takes: services, and engines where the adapter can kill those too. */
  readonly killable: readonly string[];
  /**
   * Returns where the gateways listen, one address for each replica that runs. A restart may change
   * one: ask again.
   */
  gateways(): Promise<readonly string[]>;
  /** Returns where the stand-in supplier listens. */
  supplier(): Promise<string>;
  /** Returns the replicas of a service that run. */
  replicas(service: string): Promise<readonly Replica[]>;
  /** Ends every replica by SIGKILL. They stay down until `up`. A pod gets SIGTERM 1 s before. */
  kill(service: string): Promise<void>;
  /**
   * Stops a replica in good order and starts it again. Resolves once it is ready, with how it
   * ended.
   */
  restart(replica: Replica): Promise<Ended>;
  /**
   * Starts whatever does not run, with as many replicas as asked for, and resolves once all are
   * ready. A service that is not named gets one replica.
   */
  up(scale?: Scale): Promise<void>;
  /**
   * Stops everything in good order, and returns how each replica ended. `up` starts it again with
   * its data.
   */
  stop(): Promise<readonly Ended[]>;
  /** Returns the last lines that a service wrote. */
  logs(service: string, lines?: number): Promise<string>;
}

export type Scale = Readonly<Record<string, number>>;

export interface Replica {
  readonly service: string;
  /** Its own name: "orders-2", "plumbline-orders-1". */
  readonly name: string;
}

/** A replica that was stopped. */
export interface Ended extends Replica {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** It ended by itself, within its grace, with a code that says so. */
  readonly clean: boolean;
}
