// A connection to berthd that breaks when asked to, as when a client's machine loses power or its cable is pulled: both
// sockets end at once, and no call is cancelled in order before.
import { createServer, connect as connectTo } from 'node:net';
import { connect } from '../../dist/clients/typescript/src/index.js';

/**
 * @param {string} address of berthd
 * @param {string} tenant
 * @returns {Promise<{client: import('../../dist/clients/typescript/src/index.js').BerthClient, break: () => void, close: () => void}>}
 *   `close` also breaks what is not broken yet
 */
export async function breakableConnection(address, tenant) {
  const [host, port] = address.split(':');
  const sockets = new Set();
  const server = createServer((socket) => {
    const upstream = connectTo(Number(port), host);
    for (const each of [socket, upstream]) {
      sockets.add(each);
      each.on('error', () => {});
      each.on('close', () => [socket, upstream].forEach((other) => other.destroy()));
    }
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect({ address: `127.0.0.1:${server.address().port}`, tenant });
  // It shall stand before it breaks: else most would break while they are made, and nothing is lost with them.
  await client.pool.listPools({});
  const breakAll = () => {
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    client,
    break: breakAll,
    close: () => {
      client.close();
      breakAll();
    },
  };
}
