import type { ConnectionCount, ProjectEvent } from '../engine.js';

interface Meter {
  /** Runs of commands in the container, such as its health check, begun and under way. */
  begun: number;
  underWay: number;
  /** Undefined until the first sample. */
  base: { life: string; ceiling: number } | undefined;
  /** Seen above the ceiling at the last sample; the next one decides. */
  candidate: boolean;
}

/**
 * Tells connections to an env's port from those that Berth causes. The kernel counts all that a container accepts
 * (`PassiveOpens`); a health check runs inside the container and makes at most one of them, and each of its runs is an
 * event of Docker. So what was accepted beyond the number of runs came from outside. ARP, multicast, what the app asks of
 * its database: none of that opens a connection to it. Berth's probes of a deployment or start come before the first
 * sample after it.
 *
 * A run that is under way may not have connected yet, and an event may come later than the connection that it explains.
 * Hence an excess counts when two samples see it, and a run that connected nowhere is forgotten once none is under way.
 */
export class TrafficMeters {
  readonly #meters = new Map<string, Meter>();

  /** An event of the env's app container. */
  take(envId: string, { action, service }: ProjectEvent): void {
    if (service !== 'app') return;
    const meter = this.#of(envId);
    if (action === 'exec_start') {
      meter.begun++;
      meter.underWay++;
    } else if (action === 'exec_die') {
      meter.underWay = Math.max(0, meter.underWay - 1);
    } else if (action === 'start' || action === 'die') {
      // The counters begin anew with the container.
      this.forget(envId);
    }
  }

  /** Events were missed, or an operation is under way: the next sample is a new beginning. */
  forget(envId: string): void {
    this.#meters.delete(envId);
  }

  forgetAll(): void {
    this.#meters.clear();
  }

  /** Keeps the meters of these envs only. */
  keep(envIds: ReadonlySet<string>): void {
    for (const envId of this.#meters.keys()) if (!envIds.has(envId)) this.#meters.delete(envId);
  }

  /** @returns what was seen, for people; undefined when there was no traffic since the last sample */
  sample(envId: string, count: ConnectionCount): string | undefined {
    const meter = this.#of(envId);
    const outside = count.accepted - meter.begun;
    const open = count.open > 0 ? `${count.open} open ${plural(count.open)}` : undefined;
    if (meter.base?.life !== count.life) {
      meter.base = { life: count.life, ceiling: outside };
      meter.candidate = false;
      return open;
    }
    const excess = outside - meter.base.ceiling;
    if (excess <= 0) {
      meter.candidate = false;
      if (meter.underWay === 0) meter.base.ceiling = outside;
      return open;
    }
    if (!meter.candidate) {
      meter.candidate = true;
      return open;
    }
    meter.candidate = false;
    meter.base.ceiling = outside;
    return `${excess} ${plural(excess)}`;
  }

  /** The next sample will tell whether there was traffic. */
  isUndecided(envId: string): boolean {
    return this.#meters.get(envId)?.candidate ?? false;
  }

  #of(envId: string): Meter {
    let meter = this.#meters.get(envId);
    if (!meter) {
      meter = { begun: 0, underWay: 0, base: undefined, candidate: false };
      this.#meters.set(envId, meter);
    }
    return meter;
  }
}

function plural(count: number): string {
  return count === 1 ? 'connection' : 'connections';
}
