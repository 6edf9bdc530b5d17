/** The tenants that a pool served last, to tell who comes back from who passes through. */
export class RecentTenants {
  /** The latest last. */
  readonly #tenants = new Set<string>();

  /** `most`: of those that are remembered. */
  constructor(private readonly most: () => number) {}

  /** Notes that a tenant is served. @returns whether it was among the last */
  note(tenant: string): boolean {
    const isKnown = this.#tenants.delete(tenant);
    this.#tenants.add(tenant);
    for (const oldest of this.#tenants) {
      if (this.#tenants.size <= this.most()) break;
      this.#tenants.delete(oldest);
    }
    return isKnown;
  }
}
