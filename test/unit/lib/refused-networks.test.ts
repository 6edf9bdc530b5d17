import { expect, test } from 'vitest';
import { RefusedNetworks } from '../../../src/lib/refused-networks.js';

test.each([
  ['10.213.0.2', true],
  ['::ffff:10.213.0.2', true],
  ['10.213.127.255', true],
  ['10.213.128.1', false],
  ['10.214.4.9', true],
  ['127.0.0.1', false],
  ['::1', false],
  ['::ffff:192.168.1.5', false],
  [undefined, false],
])('a peer at %s is refused: %s', (remoteAddress, refused) => {
  expect(new RefusedNetworks(['10.213.0.0/17', '10.214.4.0/24']).has({ remoteAddress })).toBe(refused);
});
