import type { EnvClock } from '../clock.js';
import type { ActivityKind, Env, EnvActivity } from '../model.js';
import type { EnvStore, NotedActivity } from '../store.js';

/**
 * What envs are used for. Noting is cheap (a map); `flush` writes what was noted in one transaction, every time the
 * sweeper comes round and before it decides on anything. A crash loses at most what was noted since.
 */
export class ActivityLog {
  #noted = new Map<string, NotedActivity>();
  readonly #sessions = new Map<symbol, { tenant: string; envId: string; detail: string }>();

  constructor(
    private readonly store: EnvStore,
    private readonly clock: EnvClock,
  ) {}

  /** The caller has seen that the env is the tenant's. */
  note(tenant: string, envId: string, kind: ActivityKind, detail: string, at = this.clock.now()): void {
    const before = this.#noted.get(envId);
    if (before && before.activity.at > at) return;
    this.#noted.set(envId, { tenant, envId, activity: { at, kind, detail } });
  }

  /** A session that keeps the env alive until it is closed. */
  open(tenant: string, envId: string, detail: string): { close(): void } {
    const key = Symbol(envId);
    this.#sessions.set(key, { tenant, envId, detail });
    this.note(tenant, envId, 'session', detail);
    return {
      close: () => {
        if (this.#sessions.delete(key)) this.note(tenant, envId, 'session', detail);
      },
    };
  }

  /** The env with what was noted and is not written yet. */
  over(env: Env): Env {
    const activity = this.#noted.get(env.id)?.activity;
    return activity && later(activity, env.lastActivity) ? { ...env, lastActivity: activity } : env;
  }

  /** @throws STORE_UNAVAILABLE; what was noted is kept for the next time */
  async flush(): Promise<void> {
    for (const { tenant, envId, detail } of this.#sessions.values()) {
      this.note(tenant, envId, 'session', detail);
    }
    if (this.#noted.size === 0) return;
    const writing = this.#noted;
    this.#noted = new Map();
    try {
      await this.store.saveActivities([...writing.values()]);
    } catch (error) {
      for (const { tenant, envId, activity } of writing.values()) {
        this.note(tenant, envId, activity.kind, activity.detail, activity.at);
      }
      throw error;
    }
  }
}

function later(activity: EnvActivity, than: EnvActivity | null): boolean {
  return activity.at > (than?.at ?? 0);
}
