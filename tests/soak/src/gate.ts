/** A gate for loops that pause while a sample is taken. */
export class Gate {
  #opened: PromiseWithResolvers<void> | undefined;

  get isClosed(): boolean {
    return this.#opened !== undefined;
  }

  close(): void {
    this.#opened ??= Promise.withResolvers();
  }

  open(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  async through(): Promise<void> {
    await this.#opened?.promise;
  }
}
