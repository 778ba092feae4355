/** The verification of access tokens: who calls, and with which scopes. */
export { clientOfApiKey, type NewApiKey, newApiKey } from "./api-key.ts";
export { type ApiKeyEntry, ApiKeys, type ApiKeysOptions } from "./api-keys.ts";
export { bearerToken, type Challenge, challenge, checkToken, writtenToken } from "./bearer.ts";
export { decodePrincipal, encodePrincipal, principalName } from "./carried-principal.ts";
export { type Clock, systemClock } from "./clock.ts";
export { type Denied, DenyList } from "./deny-list.ts";
export { IssuerError, requireScopes, TokenError, type TokenReason } from "./errors.ts";
export { type Algorithm, algorithms, type VerificationKey } from "./key-set.ts";
export { type KeyFetch, type KeySource, type KeySourceOptions, openKeySource } from "./key-source.ts";
export type { Principal } from "./principal.ts";
export { TokenVerifier, type TokenVerifierOptions, type Verification } from "./token-verifier.ts";
