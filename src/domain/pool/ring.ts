/** The newest numbered items, at most so many. Numbers rise; gaps are allowed. */
export class Ring<T extends { readonly seq: number }> {
  readonly #items: T[] = [];
  /** Index of the oldest, once the ring is full. */
  #oldest = 0;
  /** Number of the newest item that was dropped; 0: none was. */
  droppedUpTo = 0;

  constructor(private readonly capacity: number) {}

  push(item: T): void {
    if (this.#items.length < this.capacity) {
      this.#items.push(item);
      return;
    }
    this.droppedUpTo = this.#items[this.#oldest]!.seq;
    this.#items[this.#oldest] = item;
    this.#oldest = (this.#oldest + 1) % this.capacity;
  }

  /** The items after number `seq`, oldest first, at most `most`. */
  after(seq: number, most: number): T[] {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#at(middle).seq <= seq) low = middle + 1;
      else high = middle;
    }
    const found: T[] = [];
    for (let i = low; i < this.#items.length && found.length < most; i++) found.push(this.#at(i));
    return found;
  }

  clear(): void {
    const newest = this.#items.length === 0 ? undefined : this.#at(this.#items.length - 1);
    this.droppedUpTo = newest?.seq ?? this.droppedUpTo;
    this.#items.length = 0;
    this.#oldest = 0;
  }

  #at(index: number): T {
    return this.#items[(this.#oldest + index) % this.#items.length]!;
  }
}
