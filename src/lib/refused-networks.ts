import { BlockList, isIPv6, type Socket } from 'node:net';

/**
 * Networks whose members get no answer. Containers of envs reach the host through their gateway, whatever address a server
 * listens on but loopback; what runs in them is nobody who may ask.
 */
export class RefusedNetworks {
  readonly #list = new BlockList();

  /** @param networks IPv4 in CIDR form */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      this.#list.addSubnet(address, Number(prefix), 'ipv4');
    }
  }

  /** Whether the peer is in one of them; IPv4 within IPv6 too. */
  has({ remoteAddress = '' }: Pick<Socket, 'remoteAddress'>): boolean {
    if (remoteAddress === '') return false;
    return this.#list.check(remoteAddress, isIPv6(remoteAddress) ? 'ipv6' : 'ipv4');
  }
}
