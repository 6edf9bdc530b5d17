import type { ClientWritableStream } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import type { CallOptions } from './calls.js';
import {
  UploadAppHeader,
  type App,
  type DeepPartial,
  type EnvServiceClient,
  type UploadAppRequest,
  type UploadAppResponse,
} from './gen/berth/v1/env_service.js';
import { newRequestId } from './operations.js';
import { cancelled, toRpcError } from './rpc-error.js';

const MESSAGE_BYTES = 256 * 1024;

/** Sends an archive as fast as the daemon takes it, and answers the stored app. */
export async function uploadApp(
  client: EnvServiceClient,
  header: DeepPartial<UploadAppHeader>,
  archive: Uint8Array | AsyncIterable<Uint8Array>,
  { signal, timeoutMs }: CallOptions = {},
): Promise<App> {
  if (signal?.aborted) throw cancelled(signal);
  const whole = UploadAppHeader.fromPartial(header);
  whole.requestId ||= newRequestId();
  let call!: ClientWritableStream<UploadAppRequest>;
  let ended = false;
  const answer = new Promise<UploadAppResponse>((resolve, reject) => {
    const deadline = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
    call = client.uploadApp(new Metadata(), { deadline }, (error, response) =>
      error === null ? resolve(response) : reject(toRpcError(error, signal)),
    );
  }).finally(() => (ended = true));
  // The daemon may refuse long before all is sent; the loop below then stops, and the error is the answer.
  answer.catch(() => {});
  const cancel = (): void => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  const send = (request: UploadAppRequest['request']): Promise<unknown> =>
    Promise.race([new Promise<void>((written) => call.write({ request }, () => written())), answer]).catch(
      () => {},
    );
  try {
    await send({ $case: 'header', value: whole });
    for await (const piece of archive instanceof Uint8Array ? [archive] : archive) {
      for (let at = 0; at < piece.length && !ended; at += MESSAGE_BYTES) {
        await send({ $case: 'data', value: Buffer.from(piece.subarray(at, at + MESSAGE_BYTES)) });
      }
      if (ended) break;
    }
    call.end();
    const { app } = await answer;
    return app!;
  } catch (error) {
    // What the archive comes from failed: what was sent of it must not count as whole.
    call.cancel();
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}
