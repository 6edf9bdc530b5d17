import type { ServerDuplexStream } from '@grpc/grpc-js';
import { deferred } from '../lib/deferred.js';

/**
 * The requests of a call, pulled one by one; ends when the client sends no more, or goes away. (The call's own iterator
 * would destroy the call, and with it the answers, at the end of the requests.)
 */
export async function* requestsOf<Request>(
  call: ServerDuplexStream<Request, unknown>,
): AsyncGenerator<Request, void, undefined> {
  const arrived: Request[] = [];
  let over = false;
  let changed = deferred();
  const end = (): void => {
    over = true;
    changed.resolve();
  };
  call.on('data', (request: Request) => {
    arrived.push(request);
    call.pause();
    changed.resolve();
  });
  for (const event of ['end', 'close', 'cancelled', 'error']) call.on(event, end);
  if (call.cancelled) end();
  for (;;) {
    const request = arrived.shift();
    if (request !== undefined) {
      yield request;
      if (arrived.length === 0) call.resume();
    } else if (over) {
      return;
    } else {
      await changed.promise;
      changed = deferred();
    }
  }
}
