/** A client of the issuer: who its tokens name, and the most that they allow. */
export interface Client {
  readonly secret: string;
  readonly scopes: readonly string[];
}

export type Clients = Readonly<Record<string, Client>>;

const own = ["orders:read", "orders:write"];

/** Two customers and an operator. The secrets are no secrets: each is the client's own name. */
export const defaultClients: Clients = {
  ada: { secret: "ada", scopes: own },
  bob: { secret: "bob", scopes: own },
  operator: { secret: "operator", scopes: [...own, "orders:operate"] },
};
