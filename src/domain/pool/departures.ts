/** Those who wait until sandboxes of a pool are gone. */
export class Departures {
  readonly #gone = new Map<string, (() => void)[]>();
  #emptied: (() => void)[] = [];

  /** Resolves when this sandbox is gone; the caller has seen that it exists. */
  ofOne(id: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#gone.get(id);
      if (waiting === undefined) this.#gone.set(id, [resolve]);
      else waiting.push(resolve);
    });
  }

  /** Resolves when none is left; the caller has seen that there are some. */
  ofAll(): Promise<void> {
    return new Promise((resolve) => this.#emptied.push(resolve));
  }

  /** One is gone, and so many are left. */
  left(id: string, remaining: number): void {
    for (const resolve of this.#gone.get(id) ?? []) resolve();
    this.#gone.delete(id);
    if (remaining === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }
}
