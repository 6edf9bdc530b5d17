import type { PongReport } from './runner-protocol.js';

/** The outcome of a five-point health check. */
export interface SandboxHealth {
  /** Milliseconds since the epoch. */
  at: number;
  /** All five are well. */
  healthy: boolean;
  /** The container is running. */
  running: boolean;
  /** The runner answered in time. */
  responsive: boolean;
  /** Memory is below 90 % of its limit. */
  memoryOk: boolean;
  /** There are fewer than 50 processes. */
  processesOk: boolean;
  rootReadOnly: boolean;
  /** In use; 0: not known. Bytes. */
  memoryBytes: number;
  processes: number;
  /** Milliseconds. */
  tookMs: number;
  /** What is wrong, for people; empty: nothing. */
  message: string;
}

const MOST_MEMORY = 0.9;
const PROCESSES_BELOW = 50;

/** What was seen of an idle sandbox. */
export interface HealthSigns {
  /** False only where the engine says so: an engine that does not answer is not the sandbox's fault. */
  running: boolean;
  /** The runner's answer to a ping; undefined: none in time. */
  pong: PongReport | undefined;
  /** Counted from outside; undefined where it cannot be. */
  processesOutside: number | undefined;
  memoryLimitBytes: number;
  tookMs: number;
}

export function judgeHealth(signs: HealthSigns): SandboxHealth {
  const { running, pong, memoryLimitBytes, tookMs } = signs;
  const memoryBytes = pong?.memoryBytes ?? 0;
  const limit = pong === undefined || pong.memoryLimitBytes === 0 ? memoryLimitBytes : pong.memoryLimitBytes;
  const processes = Math.max(pong?.processes ?? 0, signs.processesOutside ?? 0);
  const memoryOk = memoryBytes < limit * MOST_MEMORY;
  const processesOk = processes < PROCESSES_BELOW;
  const rootReadOnly = pong?.rootReadOnly ?? false;
  const problems = [
    !running && 'its container is not running',
    pong === undefined && 'its runner does not answer',
    !memoryOk && `it uses ${memoryBytes} of ${limit} bytes of memory while idle`,
    !processesOk && `it has ${processes} processes while idle`,
    pong !== undefined && !rootReadOnly && 'its root file system is writable',
  ].filter((problem) => problem !== false);
  return {
    at: Date.now(),
    healthy: problems.length === 0,
    running,
    responsive: pong !== undefined,
    memoryOk,
    processesOk,
    rootReadOnly,
    memoryBytes,
    processes,
    tookMs,
    message: problems.join('; '),
  };
}
