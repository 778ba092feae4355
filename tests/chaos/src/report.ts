/** What one kind of chaos showed: a table, and whether it kept its promise. */
export interface Report {
  readonly text: string;
  readonly ok: boolean;
}
