/** An error in a header block. The table's state is lost with it, so it ends the connection. */
export class HpackError extends Error {
  static {
    this.prototype.name = "HpackError";
  }
}
