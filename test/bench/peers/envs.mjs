// Berth's side of apps: what people do with an env, through the TypeScript client, and how anybody sees that an app works.
import { setTimeout as delay } from 'node:timers/promises';
import { operationEnd } from '../../../dist/clients/typescript/src/index.js';
import { timed } from '../measure/interleaved.mjs';

const ASK_EVERY_MS = 10;
const ANSWERS_WITHIN_MS = 60_000;

/**
 * @typedef {object} Operated
 * @property {number} ms from the call to the operation's terminal event
 * @property {import('../../../dist/clients/typescript/src/index.js').Env} env
 * @property {number} tookMs as berthd counts it, from the operation's start
 * @property {{step: string, tookMs: number}[]} timings of its steps
 */

/** @returns {Promise<Operated>} */
export const deploy = (client, app, signal, userId = 'bench') =>
  operated(() => client.deploy({ userId, appId: app.id }, { signal }));

/** @returns {Promise<Operated>} */
export const stop = (client, envId, signal) => operated(() => client.stop(envId, { signal }));

/** @returns {Promise<Operated>} */
export const start = (client, envId, signal) => operated(() => client.start(envId, { signal }));

/** @returns {Promise<Operated>} */
export const destroy = (client, envId, signal) => operated(() => client.destroy(envId, { signal }));

async function operated(begin) {
  const { ms, result } = await timed(() => succeeded(begin()));
  const { env, tookMs, timings } = result;
  return { ms, env, tookMs, timings };
}

/** Follows an operation to its end. */
async function succeeded(events) {
  for await (const event of events) {
    const end = operationEnd(event);
    if (end?.$case === 'succeeded') return end.value;
    if (end !== undefined)
      throw new Error(
        `an env operation ${end.$case}: ${JSON.stringify(end.value.error ?? end.value.message)}`,
      );
  }
  throw new Error('the stream of an env operation ended without its terminal event');
}

/** After the clock has stopped: a deployment whose app does not work is none. */
export async function mustWork(app, url, signal) {
  const answer = await fetch(new URL(app.path, url), { signal });
  const text = await answer.text();
  if (!answer.ok || !text.startsWith(app.begins))
    throw new Error(
      `${url}${app.path} answers ${answer.status} ${JSON.stringify(text.slice(0, 80))}, which should begin with ${JSON.stringify(app.begins)}`,
    );
}

/** Asks again and again until there is an HTTP answer: for who has no other way to know that an app is ready. */
export async function untilAnswers(url, signal) {
  const deadline = performance.now() + ANSWERS_WITHIN_MS;
  for (;;) {
    try {
      await fetch(url, { signal });
      return;
    } catch (error) {
      if (signal.aborted || performance.now() > deadline) throw error;
    }
    await delay(ASK_EVERY_MS);
  }
}
