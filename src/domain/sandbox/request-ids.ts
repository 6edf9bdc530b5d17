/** What a request id stands for. */
export interface RequestUse {
  /** The method, since ids are a tenant's and not a method's. */
  method: 'execute' | 'cancel';
  digest: string;
  executionId: string;
}

/** Which execution each request id of this life stands for: the newest `most` of them; the store knows the others. */
export class RequestIds {
  readonly #uses = new Map<string, RequestUse>();
  #hasForgotten = false;

  constructor(private readonly most: number) {}

  /** Whether ids were used that are not here any more. */
  get hasForgotten(): boolean {
    return this.#hasForgotten;
  }

  get(tenant: string, requestId: string): RequestUse | undefined {
    return this.#uses.get(keyOf(tenant, requestId));
  }

  set(tenant: string, requestId: string, use: RequestUse): void {
    this.#uses.set(keyOf(tenant, requestId), use);
    if (this.#uses.size <= this.most) return;
    const [oldest] = this.#uses.keys();
    this.#uses.delete(oldest!);
    this.#hasForgotten = true;
  }
}

/** Neither part can hold the separator. */
export function keyOf(tenant: string, requestId: string): string {
  return `${tenant}\n${requestId}`;
}
