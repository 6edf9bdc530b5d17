import { BerthError } from '../domain/errors.js';

/**
 * Bounds how many streams that do not end by themselves a tenant reads at once. Each costs a look at the store for every
 * event of its env, and followers of logs a stream of Docker's, of which there are some hundreds for all.
 */
export class ReaderLimit {
  readonly #open = new Map<string, number>();

  /** @param most for each tenant */
  constructor(private readonly most: number) {}

  /** The stream, while it is read. @throws OVERLOADED */
  async *within<T>(tenant: string, stream: AsyncIterable<T>): AsyncGenerator<T> {
    const open = this.#open.get(tenant) ?? 0;
    if (open >= this.most) {
      throw new BerthError(
        'OVERLOADED',
        `tenant ${tenant} reads ${open} streams of events and logs, which is the most; end some of them`,
        {
          retryAfterMs: 1_000,
          quota: [
            {
              subject: `readers of tenant ${tenant}`,
              description: `at most ${this.most} at once (grpc.maxReadersPerTenant)`,
            },
          ],
        },
      );
    }
    this.#open.set(tenant, open + 1);
    try {
      yield* stream;
    } finally {
      const left = (this.#open.get(tenant) ?? 1) - 1;
      if (left === 0) this.#open.delete(tenant);
      else this.#open.set(tenant, left);
    }
  }
}
