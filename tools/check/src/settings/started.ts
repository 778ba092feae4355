import type { Environment } from "@plumbline/config";

/** A service, as compose or the embedded stack starts it. */
export interface Started {
  /** The origin, for the reader: "orders-migrate in docker-compose.yml". */
  readonly where: string;
  /** The name of the app's folder. */
  readonly app: string;
  readonly environment: Environment;
}
