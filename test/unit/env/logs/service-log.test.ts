import { describe, expect, it } from 'vitest';
import { deferred } from '../../../../src/lib/deferred.js';
import {
  LogReaderBehind,
  type EnvEngine,
  type LogChunk,
  type LogOptions,
  type ProjectContainer,
  type ProjectEvent,
} from '../../../../src/domain/env/engine.js';
import { BerthError } from '../../../../src/domain/errors.js';
import { ContainerBoard, type SeenContainer } from '../../../../src/domain/env/logs/container-board.js';
import type { PlacedEntry } from '../../../../src/domain/env/logs/entry.js';
import type { LogAnchor } from '../../../../src/domain/env/logs/position.js';
import { ServiceLog } from '../../../../src/domain/env/logs/service-log.js';
import { line, ms, textOf } from './chunks.js';

const SECOND = Date.parse('2026-01-02T03:04:00.000Z');

/** One service's containers, with logs that can be cut off as Docker does it. */
class FakeDocker {
  container: ProjectContainer | undefined;
  readonly logsOf = new Map<string, LogChunk[]>();
  readonly opened: { id: string; options: LogOptions }[] = [];
  /** What each follow does after the last line: end, or what it throws. */
  endings: (Error | 'end')[] = [];
  /** Called with the number of reads so far, but follows. */
  onReadEnd: (nth: number) => void = () => {};
  /** So many lines on, the reader of a read is behind. */
  behindAfter = 0;
  /** Called then. */
  onBehind: () => void = () => {};
  /** What the next reads throw. */
  failures: Error[] = [];
  /** Rotation takes what is older than so many lines. */
  keptLines = Infinity;
  /** A follow is told of nothing that is written. */
  isDeaf = false;
  /** Called when a follow has told all that there is, and when its reader leaves it then. */
  onFollowWaiting: () => void = () => {};
  onFollowGivenUp: () => void = () => {};
  /** Nobody hears its events. */
  isMute = false;
  /** Between what an inspection sees and its answer. */
  beforeAnswer: () => Promise<unknown> = async () => {};
  #written = deferred();
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
    this.logsOf.set(id, [...this.#linesOf(id), ...chunks].slice(-this.keptLines));
    this.#written.resolve();
    this.#written = deferred();
  }

  get engine(): EnvEngine {
    const engine: Partial<EnvEngine> = {
      inspect: async () => {
        const seen = this.container ? [structuredClone(this.container)] : [];
        await this.beforeAnswer();
        return seen;
      },
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

  /** As Docker: a read has what there is when it begins; a follow goes on from there with what is written. */
  async *#logs(id: string, options: LogOptions, signal?: AbortSignal): AsyncGenerator<LogChunk> {
    this.opened.push({ id, options });
    if (!this.logsOf.has(id)) throw new BerthError('ENV_CONTAINER_MISSING', `no container ${id}`);
    const failure = options.follow ? undefined : this.failures.shift();
    if (failure !== undefined) throw failure;
    const { tail, since = 0, until = Infinity } = options;
    const present = this.#linesOf(id);
    for (const chunk of present.slice(tail === undefined ? 0 : Math.max(present.length - tail, 0))) {
      const time = Date.parse(chunk.timestamp);
      if (time < since || time > until) continue;
      yield chunk;
      if (!options.follow && this.behindAfter-- === 1) {
        this.onBehind();
        throw new LogReaderBehind('behind');
      }
    }
    if (!options.follow) {
      this.onReadEnd(this.opened.filter((one) => !one.options.follow).length);
      return;
    }
    const ending = this.endings.shift();
    if (ending === 'end') return;
    if (ending !== undefined) throw ending;
    for (let known = present.at(-1); !signal?.aborted;) {
      const lines = this.isDeaf ? [] : this.#linesOf(id);
      const news = lines.slice(known === undefined ? 0 : lines.indexOf(known) + 1);
      yield* news;
      known = news.at(-1) ?? known;
      if (news.length > 0) continue;
      this.onFollowWaiting();
      await Promise.race([this.#written.promise, aborted(signal)]);
    }
    this.onFollowGivenUp();
  }

  #linesOf(id: string): LogChunk[] {
    return this.logsOf.get(id) ?? [];
  }

  #tell(action: 'start' | 'die', time: number, exitCode?: number): void {
    if (this.isMute) return;
    const event = { service: 'app', containerId: this.container!.id, action, time };
    this.#onEvent(exitCode === undefined ? event : { ...event, exitCode });
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
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

function logOf(
  docker: FakeDocker,
  { id, running, startedAt, finishedAt }: Pick<SeenContainer, 'id' | 'running' | 'startedAt' | 'finishedAt'>,
  {
    tail,
    follow,
    signal,
    anchor,
  }: { tail: number | undefined; follow: boolean; signal: AbortSignal; anchor?: LogAnchor },
): ServiceLog {
  return new ServiceLog({
    engine: docker.engine,
    service: 'app',
    position: { containerId: id, anchor, tail, running, startedAt, finishedAt },
    follow,
    since: undefined,
    until: undefined,
    signal,
  });
}

async function followed(
  docker: FakeDocker,
  count: number,
  after: (told: string[]) => void | Promise<void> = () => {},
  /** With the history: so many of its lines first. */
  tail?: number,
): Promise<string[]> {
  const stop = new AbortController();
  const board = await ContainerBoard.open(docker.engine, 'env-1', stop.signal);
  const container = board.find('app')!;
  const log = logOf(docker, container, { tail, follow: true, signal: stop.signal });
  const all: string[] = [];
  const entries = async function* (): AsyncGenerator<PlacedEntry> {
    if (tail !== undefined) yield* log.history(board);
    yield* log.follow(board);
  };
  try {
    for await (const placed of entries()) {
      all.push(told(placed));
      await after(all);
      if (all.length === count) break;
    }
  } finally {
    stop.abort();
  }
  return all;
}

describe('the log of a service', () => {
  it('has as many last lines as are wanted, also while more are written', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', line(ms(10), 'a'), line(ms(11), 'b'), line(ms(12), 'c'));
    docker.onReadEnd = (nth) => docker.write('one', line(ms(20 + nth), `meanwhile ${nth}`));
    const { signal } = new AbortController();
    const board = await ContainerBoard.open(docker.engine, 'env-1', signal);
    const container = board.find('app')!;
    const log = logOf(docker, container, { tail: 2, follow: false, signal });
    const lines: string[] = [];
    for await (const placed of log.history(board)) lines.push(told(placed));
    expect(lines).toEqual(['b', 'c']);
  });

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
    docker.write('one', line(ms(10), 'a'), line(ms(11), 'b'));
    docker.behindAfter = 1;
    const all = await followed(docker, 3, (soFar) => {
      if (soFar.length === 1) docker.logsOf.set('one', [line(ms(500), 'y'), line(ms(501), 'z')]);
    });
    expect(all).toEqual(['a', expect.stringContaining('gap: the log was rotated'), 'y']);
  });

  it('has each line once under rotation, or says that there are some missing, whatever a follow of it does', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.keptLines = 40;
    let written = 0;
    const write = (count: number): void => {
      // Both outputs, a little out of order, many of the same time.
      const next = (): LogChunk => {
        const [number, isError] = [written++, written % 7 === 0];
        const time = ms(100) + Math.floor(number / 5) * 1_000 - (isError ? 1_500 : 0);
        return line(time, String(number), isError ? 'stderr' : 'stdout');
      };
      docker.write('one', ...Array.from({ length: count }, next));
    };
    write(30);
    const told = await followed(docker, 600, (soFar) => {
      // A reader that now and then stops for as long as it takes to write what is kept, or twice as much.
      if (soFar.length % 3 === 0)
        write([0, 1, 3, 10, 41, 90][soFar.length % 6 === 0 ? (soFar.length / 6) % 6 : 1]!);
    });
    let gaps = 0;
    for (const [i, text] of told.entries()) {
      if (text.startsWith('gap: ')) gaps++;
      else if (i > 0 && Number(text) !== Number(told[i - 1]) + 1) expect(told[i - 1]).toContain('gap: ');
    }
    expect(gaps).toBeGreaterThan(3);
    const numbers = told.filter((text) => !text.startsWith('gap: ')).map(Number);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  });

  it('has each line once where what was read begins within the disorder of both outputs', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    const write = (from: number, to: number, stream?: 'stderr'): void =>
      docker.write(
        'one',
        ...Array.from({ length: to - from }, (_, i) =>
          line(ms(10) + (from + i) * 100_000, `${from + i}`, stream),
        ),
      );
    write(0, 70);
    const told = await followed(docker, 140, (soFar) => {
      if (soFar.length !== 1) return;
      write(70, 119);
      write(119, 120, 'stderr');
      write(120, 140);
    });
    expect(told).toEqual(Array.from({ length: 140 }, (_, i) => `${i}`));
  });

  it('that is taken up behind a line of an earlier run tells its end, without a gap, before the lines of the next', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', line(ms(10), 'a'), line(ms(20), 'last words'));
    docker.die(3, SECOND + 21);
    docker.run('one', SECOND + 40);
    docker.write('one', line(ms(41), 'again'));
    const stop = new AbortController();
    const board = await ContainerBoard.open(docker.engine, 'env-1', stop.signal);
    for (const behind of ['a', 'last words']) {
      const anchor = {
        stream: 'stdout',
        timestamp: line(ms(behind === 'a' ? 10 : 20), '').timestamp,
        nth: 1,
      } as const;
      const log = logOf(
        docker,
        { id: 'one', running: true, startedAt: SECOND, finishedAt: 0 },
        { tail: undefined, follow: true, signal: stop.signal, anchor },
      );
      const all: string[] = [];
      for await (const placed of log.history(board)) all.push(told(placed));
      for await (const placed of log.follow(board))
        if (all.push(told(placed)) && all.at(-1) === 'again') break;
      const rest = ['one ended with undefined', 'one started', 'again'];
      expect(all).toEqual(behind === 'a' ? ['last words', ...rest] : rest);
    }
    stop.abort();
  });

  it('is looked at again where a follow of it is told of nothing', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.isDeaf = true;
    docker.write('one', line(ms(10), 'a'));
    // The second read has found nothing new: from then on it waits for the bell.
    docker.onReadEnd = (nth) => nth === 2 && setImmediate(() => docker.write('one', line(ms(20), 'b')));
    expect(await followed(docker, 2)).toEqual(['a', 'b']);
  });

  it('that is taken up within the pieces of a long line has each of the others once', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', line(ms(10), 'a'), ...['p1', 'p2', 'p3'].map((piece) => line(ms(11), piece)));
    const told = await followed(
      docker,
      3,
      (soFar) => {
        if (soFar.length === 1) docker.write('one', line(ms(11), 'p4'), line(ms(12), 'b'));
      },
      1,
    );
    expect(told).toEqual(['p3', 'p4', 'b']);
  });

  it('waits for a free stream to Docker once it is followed', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    docker.write('one', line(ms(10), 'a'));
    docker.endings = [new BerthError('OVERLOADED', 'all in use')];
    const all = await followed(docker, 2, (soFar) => {
      if (soFar.length === 1) docker.write('one', line(ms(11), 'b'));
    });
    expect(all).toEqual(['a', 'b']);
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

  describe('where it could not be read while the container went on', () => {
    /** It is read to its first line, then comes the trouble. */
    const readAfter = async (trouble: (docker: FakeDocker) => void, count = 5): Promise<string[]> => {
      const docker = new FakeDocker();
      docker.run('one', SECOND);
      docker.write('one', line(ms(10), 'a'));
      return followed(docker, count, (soFar) => {
        if (soFar.length === 1) trouble(docker);
      });
    };
    const restarted = (docker: FakeDocker): void => {
      docker.write('one', line(ms(20), 'last words'));
      docker.die(3, SECOND + 21);
      docker.run('one', SECOND + 40);
      docker.write('one', line(ms(41), 'again'));
    };

    it('tells the end of the run before the lines of the next: for a slow reader', async () => {
      const all = await readAfter((docker) => {
        docker.behindAfter = 1;
        restarted(docker);
      });
      expect(all).toEqual(['a', 'last words', 'one ended with 3', 'one started', 'again']);
    });

    it('tells the end of the run before the lines of the next: after an outage', async () => {
      const all = await readAfter((docker) => {
        docker.failures = [new BerthError('DOCKER_UNAVAILABLE', 'away')];
        restarted(docker);
      });
      expect(all).toEqual(['a', 'last words', 'one ended with 3', 'one started', 'again']);
    });

    it('looks again at a container that starts while its last words are read', async () => {
      const all = await readAfter((docker) => {
        docker.write('one', line(ms(20), 'last'), line(ms(21), 'words'));
        docker.die(3, SECOND + 22);
        docker.behindAfter = 1;
        docker.onBehind = () => {
          docker.run('one', SECOND + 40);
          docker.write('one', line(ms(41), 'again'));
        };
      }, 6);
      expect(all).toEqual(['a', 'last', 'words', 'one ended with 3', 'one started', 'again']);
    });

    it('tells the end of the run before the lines of the next: for a slow reader of the history', async () => {
      const docker = new FakeDocker();
      docker.run('one', SECOND);
      docker.write('one', line(ms(10), 'a'), line(ms(11), 'b'), line(ms(12), 'c'));
      docker.behindAfter = 2;
      docker.onBehind = () => restarted(docker);
      const all = await followed(docker, 7, undefined, 10);
      expect(all).toEqual(['a', 'b', 'c', 'last words', 'one ended with 3', 'one started', 'again']);
    });

    it('tells the end of the run before the lines of the next: where Docker takes long to say what became of it', async () => {
      const all = await readAfter((docker) => {
        // It answers only when nobody follows the run any longer that it has told the end of.
        const givenUp = deferred();
        docker.onFollowGivenUp = () => givenUp.resolve();
        docker.onFollowWaiting = () => {
          docker.onFollowWaiting = () => {};
          docker.beforeAnswer = () => givenUp.promise;
          queueMicrotask(() => restarted(docker));
        };
      });
      expect(all).toEqual(['a', 'last words', 'one ended with 3', 'one started', 'again']);
    });

    it('tells a gap for a run that nobody read before its container was replaced', async () => {
      const docker = new FakeDocker();
      docker.run('one', SECOND);
      docker.write('one', line(ms(10), 'a'));
      const settled = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));
      const all = await followed(docker, 5, async (soFar) => {
        if (soFar.length === 1) docker.die(1, SECOND + 20);
        if (soFar.length !== 2) return;
        docker.run('one', SECOND + 120);
        docker.write('one', line(ms(130), 'unread'));
        docker.die(1, SECOND + 140);
        await settled();
        docker.logsOf.delete('one');
        docker.write('two', line(ms(230), 'b'));
        docker.run('two', SECOND + 225);
        await settled();
      });
      const gap = expect.stringContaining('gap: container one was removed');
      expect(all).toEqual(['a', 'one ended with 1', gap, 'two started', 'b']);
    });

    it('has what was stamped after the end that Docker told, unless it may be of a new run', async () => {
      const late = (docker: FakeDocker): void => {
        docker.write('one', line(ms(20), 'last words'));
        docker.die(1, SECOND + 21);
        docker.write('one', line(ms(30), 'late'));
      };
      expect(await readAfter(late, 4)).toEqual(['a', 'last words', 'late', 'one ended with 1']);
      const all = await readAfter((docker) => {
        late(docker);
        docker.onReadEnd = () => {
          if (docker.container?.state === 'exited') docker.run('one', SECOND + 25);
        };
      });
      expect(all).toEqual(['a', 'last words', 'one ended with 1', 'one started', 'late']);
    });

    it('forgives Docker once that it cannot read its file at the end of a run', async () => {
      const all = await readAfter((docker) => {
        docker.write('one', line(ms(20), 'last words'));
        docker.failures = [new BerthError('DOCKER_ERROR', 'Docker cannot read a log')];
        docker.die(1, SECOND + 21);
      }, 3);
      expect(all).toEqual(['a', 'last words', 'one ended with 1']);
    });

    it("has no exit code of a run whose end was not heard, and not an earlier run's", async () => {
      const all = await readAfter((docker) => {
        restarted(docker);
        docker.isMute = true;
        docker.write('one', line(ms(50), 'unheard'));
        docker.die(9, SECOND + 51);
        docker.run('one', SECOND + 60);
        docker.write('one', line(ms(61), 'third'));
      }, 7);
      expect(all).toEqual([
        'a',
        'last words',
        'again',
        'unheard',
        'one ended with undefined',
        'one started',
        'third',
      ]);
    });
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

describe('the board of containers', () => {
  it('does not take the end of a run for that of the one before, where it is heard before the answer about that', async () => {
    const docker = new FakeDocker();
    docker.run('one', SECOND);
    const stop = new AbortController();
    const board = await ContainerBoard.open(docker.engine, 'env-1', stop.signal);
    docker.beforeAnswer = async () => {
      docker.beforeAnswer = () => new Promise(() => {});
      docker.die(7, SECOND + 46);
    };
    const { version } = board;
    docker.die(3, SECOND + 21);
    docker.run('one', SECOND + 40);
    await board.changedFrom(version);
    const seen = board.find('app')!;
    expect(seen).toMatchObject({ running: true, startedAt: SECOND + 40, exitCode: 3, diedAt: SECOND + 21 });
    // It is known to have ended since, but not yet what became of it.
    expect(board.isInRun(seen)).toBe(false);
    stop.abort();
  });
});
