import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError } from '../../errors.js';
import type { Readiness } from '../app/spec.js';
import { probeHttp, type ProbeResult } from './http-probe.js';
import type { ProjectWatch } from './project-watch.js';

const FIRST_PAUSE_MS = 5;
const PAUSE_GROWTH = 1.25;
const LONGEST_PAUSE_MS = 250;
const SHORTEST_ATTEMPT_MS = 1_000;

export interface ReadinessTarget {
  /** Where the app is published. */
  host: string;
  port: number;
}

/**
 * Waits until the app is ready: any HTTP answer below 500 on its path, and Docker's `healthy` besides when the app
 * brought a health check of its own. Ends at once when a container dies.
 * @returns what was seen, for people
 * @throws APP_NOT_READY with the last attempt, APP_EXITED, `signal.reason`
 */
export async function waitReady(
  readiness: Readiness,
  target: ReadinessTarget,
  watch: ProjectWatch,
  signal: AbortSignal,
): Promise<string> {
  if (readiness.wait === 'started') {
    watch.failure.throwIfAborted();
    return 'a command-line app is ready when it is started';
  }
  const deadline = AbortSignal.timeout(readiness.timeoutMs);
  const until = AbortSignal.any([signal, watch.failure, deadline]);
  const progress: Progress = { attempts: 0, last: undefined };
  try {
    const status = await untilAnswer({ ...target, path: readiness.path }, progress, until);
    if (readiness.wait === 'health') await watch.untilHealthy('app', until);
    const healthy = readiness.wait === 'health' ? ' and its health check passes' : '';
    return `answered HTTP ${status} on ${readiness.path} at attempt ${progress.attempts}${healthy}`;
  } catch (error) {
    signal.throwIfAborted();
    watch.failure.throwIfAborted();
    if (deadline.aborted) throw notReady(readiness, progress);
    throw error;
  }
}

interface Progress {
  attempts: number;
  last: ProbeResult | undefined;
}

/**
 * Pauses grow from 5 to 250 ms, so that a fast app is seen fast and a slow one is not pestered. An attempt may take as
 * long as all before it together, so that a slow first answer gets its time, and a connection that hangs does not take
 * the whole wait.
 */
async function untilAnswer(
  target: { host: string; port: number; path: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  const startedAt = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * PAUSE_GROWTH, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    progress.attempts++;
    const result = await probeHttp(
      target,
      Math.max(SHORTEST_ATTEMPT_MS, performance.now() - startedAt),
      signal,
    );
    if (!signal.aborted) progress.last = result;
    if (result.answered && result.status < 500) return result.status;
    await sleep(pauseMs, undefined, { signal });
  }
}

function notReady(readiness: Readiness, { attempts, last }: Progress): BerthError {
  const saw = !last
    ? 'no attempt came to an end'
    : !last.answered
      ? `the last of ${attempts} attempts got no answer: ${last.why}`
      : last.status >= 500
        ? `the last of ${attempts} attempts got HTTP ${last.status}`
        : 'it answers HTTP, but its health check has not passed';
  return new BerthError(
    'APP_NOT_READY',
    `the app was not ready within ${readiness.timeoutMs} ms on ${readiness.path}: ${saw}. ` +
      'It must listen on 0.0.0.0 and on the containerPort of its metadata; readyTimeoutMs gives it more time',
    { metadata: { attempts: String(attempts) } },
  );
}
