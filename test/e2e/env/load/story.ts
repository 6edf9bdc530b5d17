import { expect } from 'vitest';
import {
  operationEnd,
  ResourceKind,
  type BerthClient,
  type EnvEvent,
} from '../../../../clients/typescript/src/index.js';

/** All events of an env so far, from the first on. */
export async function storyOf(client: BerthClient, envId: string): Promise<EnvEvent[]> {
  const { env } = await client.env.getEnv({ envId });
  const story: EnvEvent[] = [];
  for await (const event of client.watchEnv({ envId })) {
    story.push(event);
    if (event.seq >= env!.lastSeq) break;
  }
  return story;
}

/** What makes an event the same one; the env that a terminal event shows is as it is when it is read. */
export function identityOf({ seq, time, operationId, event }: EnvEvent): string {
  return `${seq} ${time?.toISOString()} ${operationId} ${event?.$case}`;
}

/** The log of an env has no gap and no repeat, and each operation in it ends once, with nothing of it behind its end. */
export function expectWhole(story: readonly EnvEvent[]): void {
  expect(story.map(({ seq }) => seq)).toEqual(story.map((_, i) => i + 1));
  for (const [operationId, events] of byOperation(story)) {
    const ends = events.filter((event) => operationEnd(event) !== undefined);
    expect(ends, `terminal events of ${operationId}`).toHaveLength(1);
    expect(events.at(-1), `the last event of ${operationId}`).toBe(ends[0]);
  }
}

/** Events of operations; those that happened between operations are in none. */
export function byOperation(story: readonly EnvEvent[]): Map<string, EnvEvent[]> {
  const operations = new Map<string, EnvEvent[]>();
  for (const event of story) {
    if (event.operationId === '') continue;
    operations.set(event.operationId, [...(operations.get(event.operationId) ?? []), event]);
  }
  return operations;
}

/** A time in which an env surely had a port: its claim was committed before it, its release came after it. */
export interface Tenure {
  envId: string;
  port: number;
  from: number;
  /** Infinity: it has it still. */
  until: number;
}

/** Who had which port when, by what the envs' logs say. */
export function tenuresOf(story: readonly EnvEvent[]): Tenure[] {
  const tenures: Tenure[] = [];
  let open: Tenure | undefined;
  const end = (event: EnvEvent): void => {
    if (open) open.until = event.time!.getTime();
    open = undefined;
  };
  for (const event of story) {
    const { envId, time, event: body } = event;
    if (body?.$case === 'stepCompleted' && body.value.step === 'claim_port') {
      const port = Number(/^port (\d+)/.exec(body.value.detail)?.[1]);
      expect(port, `the port in "${body.value.detail}"`).toBeGreaterThan(0);
      if (open?.port === port) continue;
      end(event);
      open = { envId, port, from: time!.getTime(), until: Infinity };
      tenures.push(open);
    }
    if (body?.$case === 'undoStarted' && body.value.step === 'claim_port') end(event);
    if (body?.$case === 'stepStarted' && body.value.step === 'release_port') end(event);
  }
  return tenures;
}

/** At no time did two envs have the same port. */
export function expectUniquePorts(tenures: readonly Tenure[]): void {
  const sorted = [...tenures].sort((a, b) => a.port - b.port || a.from - b.from);
  const shared = sorted.filter((tenure, i) => {
    const before = sorted[i - 1];
    return before?.port === tenure.port && before.envId !== tenure.envId && before.until > tenure.from;
  });
  expect(shared).toEqual([]);
}

/** Ports that a deployment gave up again, since somebody else was on them. */
export function portsLost(story: readonly EnvEvent[]): number {
  return story.filter(
    ({ event }) =>
      event?.$case === 'undoCompleted' &&
      event.value.step === 'claim_port' &&
      event.value.removed.some(({ kind }) => kind === ResourceKind.PORT),
  ).length;
}
