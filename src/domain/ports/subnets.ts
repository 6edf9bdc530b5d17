import { BerthError } from '../errors.js';

/** Docker's bridge, the app, a database, and room to grow. */
const ENV_PREFIX = 28;
const ENV_SIZE = 2 ** (32 - ENV_PREFIX);

/**
 * A small subnet for each env, cut from one configured range: the port's place in the port range is the subnet's place
 * in the subnet range. A port belongs to one env, so its subnet does too, without a second claim.
 */
export class SubnetPlan {
  readonly #base: number;
  readonly #count: number;

  constructor(
    private readonly range: string,
    private readonly portFirst: number,
  ) {
    const { base, size } = parseCidr(range);
    this.#base = base;
    this.#count = Math.floor(size / ENV_SIZE);
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
        `the subnet range ${this.range} has ${this.#count} networks of /${ENV_PREFIX}, too few for port ${port}; ` +
          'configure a larger range or fewer ports',
        { quota: [{ subject: 'env subnets', description: `${this.range} is too small for the port range` }] },
      );
    }
    return `${dotted(this.#base + index * ENV_SIZE)}/${ENV_PREFIX}`;
  }
}

/** @throws INTERNAL when it is no IPv4 range of at least a /28 */
function parseCidr(range: string): { base: number; size: number } {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(range);
  const parts = match?.slice(1).map(Number) ?? [];
  const prefix = parts[4] ?? 99;
  if (parts.slice(0, 4).some((octet) => octet > 255) || prefix > ENV_PREFIX) {
    throw new BerthError(
      'INTERNAL',
      `env.subnets: "${range}" is not an IPv4 range of /${ENV_PREFIX} or larger`,
    );
  }
  const size = 2 ** (32 - prefix);
  const address = parts.slice(0, 4).reduce((sum, octet) => sum * 256 + octet, 0);
  return { base: address - (address % size), size };
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
