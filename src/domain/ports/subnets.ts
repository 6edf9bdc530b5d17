import { BerthError } from '../errors.js';

/** An env's own network: Docker's bridge, the app, a database, and room to grow. */
const ENV_PREFIX = 28;
/** The network of an env and the shared database: Docker's bridge and these two. */
export const DATABASE_PREFIX = 29;

/**
 * A small subnet for each env, cut from one configured range: the port's place in the port range is the subnet's place
 * in the subnet range. A port belongs to one env, so its subnet does too, without a second claim.
 */
export class SubnetPlan {
  readonly #base: number;
  readonly #count: number;
  readonly #size: number;

  /** @param prefix length of the subnets' prefix: `/28` unless said */
  constructor(
    private readonly range: string,
    private readonly portFirst: number,
    private readonly prefix = ENV_PREFIX,
  ) {
    const { base, size } = parseCidr(range, prefix);
    this.#base = base;
    this.#size = 2 ** (32 - prefix);
    this.#count = Math.floor(size / this.#size);
  }

  /** CIDR of the range's last subnet: for what belongs to no env. */
  get last(): string {
    return this.#subnet(this.#count - 1);
  }

  /** Whether the range reaches as far as the subnet of `port`. */
  has(port: number): boolean {
    return port - this.portFirst < this.#count;
  }

  /** CIDR of the network of the env that has `port`. @throws SUBNET_NONE_FREE when the range is too small */
  forPort(port: number): string {
    const index = port - this.portFirst;
    if (index < 0 || index >= this.#count) {
      throw new BerthError(
        'SUBNET_NONE_FREE',
        `the subnet range ${this.range} has ${this.#count} networks of /${this.prefix}, too few for port ${port}; ` +
          'configure a larger range or fewer ports',
        { quota: [{ subject: 'env subnets', description: `${this.range} is too small for the port range` }] },
      );
    }
    return this.#subnet(index);
  }

  #subnet(index: number): string {
    return `${dotted(this.#base + index * this.#size)}/${this.prefix}`;
  }
}

/** @throws INTERNAL when it is no IPv4 range that holds a subnet of this prefix */
function parseCidr(range: string, longest: number): { base: number; size: number } {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(range);
  const parts = match?.slice(1).map(Number) ?? [];
  const prefix = parts[4] ?? 99;
  if (parts.slice(0, 4).some((octet) => octet > 255) || prefix > longest) {
    throw new BerthError(
      'INTERNAL',
      `the subnet range "${range}" is not an IPv4 range of /${longest} or larger`,
    );
  }
  const size = 2 ** (32 - prefix);
  const address = parts.slice(0, 4).reduce((sum, octet) => sum * 256 + octet, 0);
  return { base: address - (address % size), size };
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
