import { describe, expect, it } from 'vitest';
import { openFromOutside, passiveOpens } from '../../../src/engine/docker/env/connections.js';

const SNMP = `Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails
Tcp: 1 200 120000 -1 4 17 0
Udp: InDatagrams
Udp: 0`;

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid';
// 0BB8 is 3000, 8124 a port that nothing listens on; addresses are little-endian.
const LISTEN = '   0: 00000000:0BB8 00000000:0000 0A 00000000:00000000';
const FROM_GATEWAY = '   1: 0200D50A:0BB8 0100D50A:C350 01 00000000:00000000';
const FROM_ITSELF = '   2: 0100007F:0BB8 0100007F:C352 01 00000000:00000000';
const OVER_OWN_ADDRESS = '   3: 0200D50A:0BB8 0200D50A:C354 01 00000000:00000000';
const TO_DATABASE = '   4: 0200D50A:8124 0300D50A:0CEA 01 00000000:00000000';
const CLOSED = '   5: 0200D50A:0BB8 0100D50A:C356 06 00000000:00000000';
const LISTEN_6 = '   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A';
const MAPPED =
  '   1: 0000000000000000FFFF00000200D50A:1F90 0000000000000000FFFF00000100D50A:C358 01 00000000';

describe('what the kernel knows of connections', () => {
  it('has the count of accepted ones', () => {
    expect(passiveOpens(SNMP)).toBe(17);
    expect(passiveOpens('nothing')).toBeUndefined();
  });

  it('tells open ones from outside from those to itself and those it made', () => {
    const table = [HEAD, LISTEN, FROM_GATEWAY, FROM_ITSELF, OVER_OWN_ADDRESS, TO_DATABASE, CLOSED];
    expect(openFromOutside(table.join('\n'))).toBe(1);
    expect(openFromOutside([HEAD, LISTEN_6, MAPPED].join('\n'))).toBe(1);
    expect(openFromOutside('')).toBe(0);
  });
});
