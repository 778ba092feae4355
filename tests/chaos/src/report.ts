/** The result of one kind of chaos: a table, and if the promise was kept. */
export interface Report {
  readonly text: string;
  readonly ok: boolean;
}
