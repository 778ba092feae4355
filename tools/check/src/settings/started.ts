import type { Environment } from "@plumbline/config";

/** A service as something starts it. */
export interface Started {
  /** Where it is started, for the reader: "orders-migrate in docker-compose.yml". */
  readonly where: string;
  /** The app, as its folder is called. */
  readonly app: string;
  readonly environment: Environment;
}
