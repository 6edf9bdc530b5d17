import { deferred } from '../../../lib/deferred.js';

/** Several iterables as one, in the order of `keyOf`, of which each is in order by itself. Holds one item of each. */
export async function* inOrder<T>(
  sources: readonly AsyncIterable<T>[],
  keyOf: (item: T) => string,
): AsyncGenerator<T> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  try {
    const first = await Promise.all(iterators.map((iterator) => iterator.next()));
    const heads = first.map((result, i) => ({ iterator: iterators[i]!, result }));
    for (;;) {
      let least: (typeof heads)[number] | undefined;
      for (const head of heads) {
        if (head.result.done) continue;
        if (least === undefined || keyOf(head.result.value) < keyOf(least.result.value as T)) least = head;
      }
      if (least === undefined) return;
      yield least.result.value as T;
      least.result = await least.iterator.next();
    }
  } finally {
    await Promise.allSettled(iterators.map(async (iterator) => iterator.return?.()));
  }
}

/**
 * Several iterables as one, in the order in which their items come. Others may be added while it runs. Holds at most one
 * item of each, so that a reader that stops stops all of them. Ends when all have ended and `close` was called.
 */
export class Merge<T> implements AsyncIterable<T> {
  readonly #open = new Set<AsyncIterator<T>>();
  readonly #ready: (() => T | undefined)[] = [];
  #changed = deferred();
  #closed = false;

  /** @param stop called when the reader leaves or one has failed; it ends what the iterables wait for */
  constructor(private readonly stop: () => void) {}

  add(source: AsyncIterable<T>): void {
    const iterator = source[Symbol.asyncIterator]();
    this.#open.add(iterator);
    this.#pull(iterator);
  }

  /** No more are added. */
  close(): void {
    this.#closed = true;
    this.#changed.resolve();
  }

  /** What it throws, the merge throws. */
  fail(error: unknown): void {
    this.#put(() => {
      throw error;
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    try {
      for (;;) {
        const take = this.#ready.shift();
        if (take !== undefined) {
          const item = take();
          if (item !== undefined) yield item;
        } else if (this.#closed && this.#open.size === 0) {
          return;
        } else {
          await this.#changed.promise;
          this.#changed = deferred();
        }
      }
    } finally {
      this.stop();
      await Promise.allSettled([...this.#open].map(async (iterator) => iterator.return?.()));
    }
  }

  #pull(iterator: AsyncIterator<T>): void {
    iterator.next().then(
      (result) =>
        this.#put(() => {
          if (result.done) {
            this.#open.delete(iterator);
            return undefined;
          }
          this.#pull(iterator);
          return result.value;
        }),
      (error: unknown) => this.fail(error),
    );
  }

  #put(take: () => T | undefined): void {
    this.#ready.push(take);
    this.#changed.resolve();
  }
}
