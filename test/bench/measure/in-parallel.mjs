/**
 * Does a number of works, some at once, in the order of their numbers from 0. After a failure no more are begun, and it is
 * thrown when those under way have ended.
 *
 * @param {{count: number, atOnce: number}} how
 * @param {(index: number) => Promise<void>} work
 */
export async function inParallel({ count, atOnce }, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      try {
        await work(next++);
      } catch (error) {
        next = count;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const failed = ends.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
}
