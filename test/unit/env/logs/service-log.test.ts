import { describe, expect, it } from 'vitest';
import {
  LogReaderBehind,
  type EnvEngine,
  type LogChunk,
  type LogOptions,
  type ProjectContainer,
  type ProjectEvent,
} from '../../../../src/domain/env/engine.js';
import { BerthError } from '../../../../src/domain/errors.js';
import { ContainerBoard } from '../../../../src/domain/env/logs/container-board.js';
import type { PlacedEntry } from '../../../../src/domain/env/logs/entry.js';
import { ServiceLog } from '../../../../src/domain/env/logs/service-log.js';
import { line, ms, textOf } from './chunks.js';

const SECOND = Date.parse('2026-01-02T03:04:00.000Z');

/** One service's containers, with logs that can be cut off as Docker does it. */
class FakeDocker {
  container: ProjectContainer | undefined;
  readonly logsOf = new Map<string, LogChunk[]>();
  readonly opened: { id: string; options: LogOptions }[] = [];
  /** What each opening does after its lines: end, or what it throws. */
  endings: (Error | 'end')[] = [];
  #onEvent: (event: ProjectEvent) => void = () => {};

  run(id: string, startedAt: number): void {
    this.container = {
      id,
      name: 'env-1',
      service: 'app',
      state: 'running',
      health: 'none',
      exitCode: 0,
      oomKilled: false,
      error: '',
      image: 'i',
      startedAt,
      restartCount: 0,
      publishedPorts: [],
      memoryBytes: 0,
      cpus: 0,
      addresses: {},
      finishedAt: this.container?.id === id ? (this.container.finishedAt ?? 0) : 0,
    };
    this.#tell('start', startedAt);
  }

  die(exitCode: number, time: number): void {
    Object.assign(this.container!, { state: 'exited', exitCode, startedAt: 0, finishedAt: time });
    this.#tell('die', time, exitCode);
  }

  write(id: string, ...chunks: LogChunk[]): void {
    this.logsOf.set(id, [...(this.logsOf.get(id) ?? []), ...chunks]);
  }

  get engine(): EnvEngine {
    const engine: Partial<EnvEngine> = {
      inspect: async () => (this.container ? [structuredClone(this.container)] : []),
      watch: async (_, onEvent) => {
        this.#onEvent = onEvent;
        return { close() {} };
      },
      logs: (id, options, signal) => this.#logs(id, options, signal),
      holdLog: () => () => {},
      available: async () => {},
    };
    return engine as EnvEngine;
  }

  async *#logs(id: string, options: LogOptions, signal?: AbortSignal): AsyncGenerator<LogChunk> {
    this.opened.push({ id, options });
    const lines = this.logsOf.get(id);
    if (lines === undefined) throw new BerthError('ENV_CONTAINER_MISSING', `no container ${id}`);
    let at = options.tail === undefined ? 0 : Math.max(lines.length - options.tail, 0);
    for (; at < lines.length; at++) {
      const time = Date.parse(lines[at]!.timestamp);
      if (time < (options.since ?? 0) || time > (options.until ?? Infinity)) continue;
      yield lines[at]!;
    }
    if (!options.follow) return;
    const ending = this.endings.shift();
    if (ending === 'end') return;
    if (ending !== undefined) throw ending;
    await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
  }

  #tell(action: 'start' | 'die', time: number, exitCode?: number): void {
    const event = { service: 'app', containerId: this.container!.id, action, time };
    this.#onEvent(exitCode === undefined ? event : { ...event, exitCode });
  }
}

function told({ entry }: PlacedEntry): string {
  switch (entry.kind) {
    case 'line':
      return textOf(entry.chunk);
    case 'gap':
      return `gap: ${entry.reason}`;
    case 'container_changed':
      return `${entry.containerId} ${entry.running ? 'started' : `ended with ${entry.exitCode}`}`;
  }
}

async function followed(
  docker: FakeDocker,
  count: number,
  after: (told: string[]) => void = () => {},
): Promise<string[]> {
  const stop = new AbortController();
  const board = await ContainerBoard.open(docker.engine, 'env-1', stop.signal);
  const container = board.find('app')!;
  const log = new ServiceLog({
    engine: docker.engine,
    service: 'app',
    position: {
      containerId: container.id,
      anchor: undefined,
      tail: undefined,
      running: container.running,
      startedAt: container.startedAt,
      finishedAt: container.finishedAt,
    },
    follow: true,
    since: undefined,
    until: undefined,
    signal: stop.signal,
  });
  const all: string[] = [];
  try {
    for await (const placed of log.follow(board)) {
      all.push(told(placed));
      after(all);
      if (all.length === count) break;
    }
  } finally {
    stop.abort();
  }
  return all;
}

describe('the log of a service', () => {
  it('goes on over a restart: what Docker left out at the end of the run comes before its end', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', line(ms(10), 'a'));
    docker.endings = ['end'];
    const all = await followed(docker, 5, (soFar) => {
      if (soFar.length !== 1) return;
      docker.write('one', line(ms(20), 'last words'));
      docker.die(3, SECOND + 21);
      docker.run('one', SECOND + 40);
      docker.write('one', line(ms(41), 'again'));
    });
    expect(all).toEqual(['a', 'last words', 'one ended with 3', 'one started', 'again']);
  });

  it('goes on with the container that replaces it', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', line(ms(10), 'a'));
    docker.endings = ['end', 'end'];
    const all = await followed(docker, 4, (soFar) => {
      if (soFar.length === 1) docker.die(0, SECOND + 20);
      if (soFar.length === 2) {
        docker.logsOf.delete('one');
        docker.write('two', line(ms(30), 'b'));
        docker.run('two', SECOND + 25);
      }
    });
    expect(all).toEqual(['a', 'one ended with 0', 'two started', 'b']);
  });

  it('tells a gap where a container was removed before its end was read', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', line(ms(10), 'a'));
    docker.endings = [new BerthError('ENV_CONTAINER_MISSING', 'gone')];
    const all = await followed(docker, 5, (soFar) => {
      if (soFar.length !== 1) return;
      docker.logsOf.delete('one');
      docker.write('two', line(ms(30), 'b'));
      docker.run('two', SECOND + 25);
    });
    expect(all).toEqual([
      'a',
      expect.stringContaining('gap: container one was removed'),
      'one ended with undefined',
      'two started',
      'b',
    ]);
  });

  it('is read again for a reader that fell behind, and tells what rotation took meanwhile', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', line(ms(10), 'a'));
    docker.endings = [new LogReaderBehind('behind')];
    const all = await followed(docker, 3, (soFar) => {
      if (soFar.length === 1) docker.logsOf.set('one', [line(ms(500), 'y'), line(ms(501), 'z')]);
    });
    expect(all).toEqual(['a', expect.stringContaining('gap: the log was rotated'), 'y']);
  });

  it('goes on when Docker is back, behind the last line', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', line(ms(10), 'a'));
    docker.endings = [new BerthError('DOCKER_UNAVAILABLE', 'away')];
    const all = await followed(docker, 2, (soFar) => {
      if (soFar.length === 1) docker.write('one', line(ms(11), 'b'));
    });
    expect(all).toEqual(['a', 'b']);
  });

  it("does not take Docker's own error for a line", async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', { stream: 'stderr', timestamp: 'Error', data: Buffer.from('grabbing logs: EOF\n') });
    await expect(followed(docker, 1)).rejects.toMatchObject({
      reason: 'DOCKER_ERROR',
      message: expect.stringContaining('grabbing logs: EOF'),
    });
  });
});
