/** The place of a value in a `List`, needed to remove it. */
export interface Place<T> {
  readonly value: T;
}

interface Node<T> extends Place<T> {
  list: List<T> | undefined;
  previous: Node<T> | undefined;
  next: Node<T> | undefined;
}

/**
 * A queue with removal from the middle, each operation in constant time. An array shifts and
 * searches. A Set keeps holes at its front, so that taking the first of many costs more with each
 * one taken. And a Set or Map that many values pass through is dear to the garbage collector: each
 * table that it outgrows refers to the next one and to the values in it at that time. Once one of
 * them is in the old generation, all later ones follow it there, with a third of all values.
 */
export class List<T> {
  #first: Node<T> | undefined;
  #last: Node<T> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The place of the first value; undefined if the list is empty. */
  get first(): Place<T> | undefined {
    return this.#first;
  }

  /** Returns all places, the first first. Later changes do not affect the array. */
  places(): Place<T>[] {
    const places: Place<T>[] = [];
    for (let node = this.#first; node !== undefined; node = node.next) places.push(node);
    return places;
  }

  append(value: T): Place<T> {
    const node: Node<T> = { value, list: this, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    this.#length++;
    return node;
  }

  /**
   * Removes the first and returns its place, or undefined if the list is empty: `undefined` can be
   * a value.
   */
  shift(): Place<T> | undefined {
    const first = this.#first;
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Removes the place. Returns false if it was removed before. */
  remove(place: Place<T>): boolean {
    const node = place as Node<T>;
    if (node.list !== this) return false;
    if (node.previous === undefined) this.#first = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.#last = node.previous;
    else node.next.previous = node.previous;
    node.list = node.previous = node.next = undefined;
    this.#length--;
    return true;
  }
}
