/**
 * Lets at most so many do something at once; the others take turns in the order in which they came, the patient ones when
 * nobody else waits.
 */
export class Turns {
  #taken = 0;
  readonly #waiting = new Set<() => void>();
  readonly #patient = new Set<() => void>();

  constructor(private readonly most: number) {}

  /** Resolves when it is the caller's turn, to a function that ends it. @throws the signal's reason */
  async take(signal: AbortSignal, isPatient = false): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken < this.most) this.#taken++;
    else await this.#wait(signal, isPatient ? this.#patient : this.#waiting);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      // The turn goes to the next one, or is free.
      const [next] = this.#waiting.size > 0 ? this.#waiting : this.#patient;
      if (next === undefined) this.#taken--;
      else next();
    };
  }

  #wait(signal: AbortSignal, waiting: Set<() => void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        waiting.delete(begin);
        signal.removeEventListener('abort', cancel);
      };
      const begin = (): void => {
        settle();
        resolve();
      };
      const cancel = (): void => {
        settle();
        reject(signal.reason as Error);
      };
      waiting.add(begin);
      signal.addEventListener('abort', cancel, { once: true });
    });
  }
}
