import { BerthRpcError } from '../../clients/typescript/src/index.js';

/** What a call fails with. @throws where it does not fail, or by something else */
export async function failure(work: Promise<unknown>): Promise<BerthRpcError> {
  const error = await work.then(
    () => new Error('the call was expected to fail'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof BerthRpcError) return error;
  throw error;
}
