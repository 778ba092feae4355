import { type Binaries, findBinaries } from "./binaries.ts";
import { type FolderState, inspectFolder } from "./data-folder.ts";
import { chooseIdentity, type Identity } from "./identity.ts";
import { runAs } from "./run-as.ts";

/** The programs, the folder and the user of a server that is about to start. */
export interface PostgresPlan {
  readonly binaries: Binaries;
  readonly state: FolderState;
  readonly identity: Identity;
}

/**
 * Finds out how a server would start on a data folder. Throws EngineError with what to do about it.
 */
export function planPostgres(dataDir: string): PostgresPlan {
  const binaries = findBinaries();
  const state = inspectFolder(dataDir, binaries.major);
  const identity = chooseIdentity(dataDir, [binaries.initdb, binaries.postgres]);
  return { binaries, state, identity };
}

/**
 * Returns the version of the server that would start on a data folder, and its user. It runs the
 * program, so that a missing library shows, and changes nothing. Throws EngineError with what to
 * do.
 */
export async function checkPostgres(dataDir: string): Promise<string> {
  const { binaries, identity } = planPostgres(dataDir);
  await runAs(identity, binaries.postgres, ["--version"], { environment: binaries.environment });
  return `PostgreSQL ${binaries.version} from npm, as ${nameOf(identity)}`;
}

function nameOf({ uid, prefix }: Identity): string {
  if (prefix.length > 0) return "user 65534 in a user namespace";
  return uid === undefined ? "this user" : `user ${uid}`;
}
