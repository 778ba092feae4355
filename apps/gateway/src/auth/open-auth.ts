import { ApiKeys, DenyList, type KeySourceOptions, openKeySource, TokenVerifier } from "@plumbline/auth";
import { background, sleep } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";
import { followApiKeys } from "./follow-api-keys.ts";
import { isLoopback } from "./loopback.ts";

/** The section `auth` of the settings, with an issuer. */
export interface AuthSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUri?: string | undefined;
  /** Returns the authorities of the issuer. Its keys are asked for with those of that moment. */
  readonly ca?: KeySourceOptions["ca"];
  readonly developmentIssuer: boolean;
  readonly tokenTypes: readonly string[];
  /** The file of API keys, which is followed; no keys are taken if absent. */
  readonly apiKeysFile?: string | undefined;
}

/** The tokens that are refused although they are valid, as the settings name them. */
export interface DeniedSettings {
  readonly subjects: readonly string[];
  readonly clients: readonly string[];
  readonly issuedBefore?: string | undefined;
}

/** The identity of callers: who issues their tokens, and the tokens that are taken. */
export interface Auth {
  readonly issuer: string;
  readonly verifier: Pick<TokenVerifier, "verify" | "known">;
  readonly denied: Pick<DenyList, "watch">;
}

/** The time between looks at the settings. A change holds within a second. */
const followMs = 500;

/**
 * Opens the keys of the issuer and keeps them fresh, and follows the file of API keys. Rejects with
 * IssuerError if the issuer's documents contradict the settings, and for a development issuer if
 * other machines reach `host`, unless a setting allows it. Rejects with ConfigError for a wrong
 * file of API keys.
 */
export async function openAuth(
  settings: AuthSettings,
  host: string,
  denied: () => DeniedSettings,
  { metrics, logger }: Pick<Telemetry, "metrics" | "logger">,
): Promise<Auth & AsyncDisposable> {
  const { issuer, audience, jwksUri, ca, developmentIssuer, tokenTypes, apiKeysFile } = settings;
  await using opened = new AsyncDisposableStack();
  const fetches = metrics.counter("auth_jwks_fetches_total", "Attempts to get the issuer's keys.", ["outcome"]);
  const fetchedAt = metrics.gauge("auth_jwks_fetched_seconds", "Time of the last keys, since 1970.", []);
  const verifications = metrics.counter(
    "auth_verifications_total",
    "Access tokens and API keys by what became of them.",
    ["outcome", "cache"],
  );
  const keys = await openKeySource({
    issuer,
    jwksUri,
    ca,
    allowDevelopment: developmentIssuer || isLoopback(host),
    onFetch({ outcome, problem, ignored, repeated }) {
      fetches.inc({ outcome });
      if (outcome === "ok") fetchedAt.set({}, Date.now() / 1_000);
      if (repeated) return;
      if (outcome === "failed") logger.warn("the issuer's keys cannot be read; the last good ones stay", { problem });
      else logger.info("the issuer's keys were read", { issuer, ...(ignored.length > 0 && { ignored }) });
    },
  });
  opened.use(keys);
  if (developmentIssuer) {
    logger.warn("auth.developmentIssuer is true: an issuer whose tokens anybody may get is allowed", { issuer });
  }
  const list = new DenyList(deniedOf(denied()));
  const following = background(async (signal) => {
    for (let last = denied(); ; ) {
      await sleep(followMs, { signal });
      const next = denied();
      if (next !== last) list.set(deniedOf(next));
      last = next;
    }
  });
  opened.use(following);
  const apiKeys = new ApiKeys({ denied: list });
  if (apiKeysFile !== undefined) opened.use(await followApiKeys(apiKeysFile, apiKeys, logger));
  const owned = opened.move();
  return {
    issuer,
    verifier: new TokenVerifier({
      keys,
      audience,
      tokenTypes,
      denied: list,
      apiKeys,
      onVerified: ({ outcome, cache }) => verifications.inc({ outcome, cache }),
    }),
    denied: list,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function deniedOf({ subjects, clients, issuedBefore }: DeniedSettings) {
  return { subjects, clients, ...(issuedBefore !== undefined && { issuedBeforeMs: Date.parse(issuedBefore) }) };
}
