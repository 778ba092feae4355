/** The parts of a manifest that name its licence, in the forms that npm has had. */
export interface Licensed {
  readonly license?: string | { readonly type?: string };
  readonly licenses?: readonly { readonly type?: string }[];
}

/** Returns the licence of a manifest as an expression of SPDX; undefined if it names none. */
export function licenceOf({ license, licenses }: Licensed): string | undefined {
  if (typeof license === "string") return license;
  if (license?.type !== undefined) return license.type;
  const types = licenses?.flatMap(({ type }) => type ?? []) ?? [];
  return types.length === 0 ? undefined : types.join(" OR ");
}
