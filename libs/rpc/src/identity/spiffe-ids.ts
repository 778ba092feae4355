import { identityOf, type SpiffeIdentity, trustDomainOf } from "./spiffe.ts";

/** SPIFFE ids of one trust domain, as a setting lists them. */
export class SpiffeIds {
  readonly #ids: ReadonlySet<string>;
  readonly #trustDomain: string;

  /** Reads ids with commas, of one domain. Otherwise throws a TypeError that names the setting. */
  constructor(setting: string, list: string) {
    this.#ids = new Set(list.split(",").map((id) => id.trim()));
    const domains = [...this.#ids].map((id) => {
      const example = "spiffe://example.org/gateway";
      return trustDomainOf(id) ?? wrong(setting, `SPIFFE ids with commas, such as ${example}, not "${id}"`);
    });
    const [domain = "", ...others] = new Set(domains);
    if (others.length > 0) wrong(setting, `one trust domain, not ${domain} and ${others[0]}`);
    this.#trustDomain = domain;
  }

  /** Returns the identity that a certificate in DER gives, as `identityOf` does. */
  identify(der: Uint8Array): SpiffeIdentity {
    return identityOf(der, this.#trustDomain);
  }

  includes(identity: SpiffeIdentity): boolean {
    return "id" in identity && this.#ids.has(identity.id);
  }

  toString(): string {
    return [...this.#ids].join(" or ");
  }
}

function wrong(setting: string, expected: string): never {
  throw new TypeError(`${setting}: expected ${expected}`);
}
