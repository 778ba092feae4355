const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Formats the time until a deadline as `grpc-timeout`: at most eight digits, rounded up. */
export function formatTimeout(ms: number): string {
  if (ms < 1e8) return `${Math.max(1, Math.ceil(ms))}m`;
  if (ms < 1e11) return `${Math.ceil(ms / 1_000)}S`;
  return `${Math.min(99_999_999, Math.ceil(ms / 3_600_000))}H`;
}

/** Parses a `grpc-timeout` into milliseconds. Returns undefined if it is malformed. */
export function parseTimeout(text: string): number | undefined {
  const unit = units[text.charAt(text.length - 1)];
  const digits = text.slice(0, -1);
  return unit !== undefined && /^\d{1,8}$/.test(digits) ? Number(digits) * unit : undefined;
}
