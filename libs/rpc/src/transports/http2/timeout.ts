const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** The `grpc-timeout` for a deadline that is `ms` away: at most eight digits, rounded up, so never less than there is. */
export function formatTimeout(ms: number): string {
  if (ms < 1e8) return `${Math.max(1, Math.ceil(ms))}m`;
  if (ms < 1e11) return `${Math.ceil(ms / 1_000)}S`;
  return `${Math.min(99_999_999, Math.ceil(ms / 3_600_000))}H`;
}

/** In milliseconds; undefined for what is no `grpc-timeout`. */
export function parseTimeout(text: string): number | undefined {
  const unit = units[text.charAt(text.length - 1)];
  const digits = text.slice(0, -1);
  return unit !== undefined && /^\d{1,8}$/.test(digits) ? Number(digits) * unit : undefined;
}
