/** An issuer of access tokens for development and tests. Anybody may get its tokens. */
export { type Client, type Clients, defaultClients } from "./clients.ts";
export { type Issuer, type IssuerOptions, startIssuer } from "./start-issuer.ts";
