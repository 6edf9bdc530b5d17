import type { Env } from '../model.js';

/** An end that an env is going to. Times are milliseconds since the epoch. */
export interface End {
  cause: 'expiry' | 'idle';
  at: number;
  /** From when on its users are to be warned of it. */
  warnFrom: number;
  /** They were warned of this very end. */
  warned: boolean;
}

/** The ends of an env if nothing happens to it, the earlier one first. Pure. */
export function endsOf(env: Env, warnBeforeMs: number): End[] {
  const ends: End[] = [];
  if (env.expiresAt !== null) {
    const warnFrom = env.expiresAt - Math.min(warnBeforeMs, env.ttlMs / 2);
    ends.push({
      cause: 'expiry',
      at: env.expiresAt,
      warnFrom,
      warned: env.expiryWarnedFor === env.expiresAt,
    });
  }
  if (env.idleTimeoutMs > 0 && env.lastActivity) {
    const at = env.lastActivity.at + env.idleTimeoutMs;
    const warnFrom = at - Math.min(warnBeforeMs, env.idleTimeoutMs / 2);
    ends.push({ cause: 'idle', at, warnFrom, warned: env.idleWarnedFor === at });
  }
  return ends.sort((a, b) => a.at - b.at);
}
