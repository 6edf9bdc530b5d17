import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LogRequest } from '../../../src/domain/env/logs/request.js';
import type { ToldEntry } from '../../../src/domain/env/logs/env-logs.js';
import { DockerProxy } from '../../support/docker-proxy.js';
import { docker } from '../../support/docker-cli.js';
import { EnvWorld, appFiles, logRequest } from './env-world.js';

const MIB = 1024 * 1024;

/** A web app that runs `code` besides answering. */
const app = (code: string) =>
  appFiles(
    { runtimeType: 'node' },
    {
      'server.js': `
let written = 0;
require('http').createServer((q, r) => r.end(String(written))).listen(process.env.PORT, '0.0.0.0');
process.on('SIGTERM', () => { console.log('bye'); process.exit(7); });
${code}`,
    },
  );
/** Counts without end, in bursts. */
const COUNTER = `let n = 0; setInterval(() => { for (let i = 0; i < 20; i++) console.log('v1 ' + n++); }, 20);`;

let proxy: DockerProxy;
let world: EnvWorld;
beforeAll(async () => {
  proxy = await DockerProxy.create();
  await proxy.up();
  world = await EnvWorld.open({}, proxy.host);
});
afterEach(async () => {
  await world.destroyAll();
  await world.expectNothingLeft();
});
afterAll(async () => {
  await world.close();
  await proxy.dispose();
});

const textOf = ({ entry }: ToldEntry): string => {
  switch (entry.kind) {
    case 'line':
      return Buffer.from(entry.chunk.data)
        .toString('latin1')
        .replace(/\r?\n$/, '');
    case 'gap':
      return `gap: ${entry.reason}`;
    case 'container_changed':
      return entry.running ? 'started' : `ended ${entry.exitCode}`;
  }
};

async function logsOf(envId: string, more: Partial<LogRequest> = {}): Promise<ToldEntry[]> {
  const all: ToldEntry[] = [];
  for await (const told of world.operations.logs(logRequest(envId, more), AbortSignal.timeout(240_000)))
    all.push(told);
  return all;
}

/** `v1 0`, `v1 1`, … without a hole, and how far they go. */
function counted(lines: string[], prefix: string): number {
  const numbers = lines
    .filter((line) => line.startsWith(`${prefix} `))
    .map((line) => Number(line.slice(prefix.length + 1)));
  expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i));
  return numbers.length;
}

describe('the logs of an env', () => {
  it('are followed over stop and start, a restart, Docker going away and a replacement, to its end: each line once', async () => {
    const { env } = await world.deploy('counter', app(COUNTER));
    const seen: string[] = [];
    const failed: unknown[] = [];
    // One after the other: a destroy would cancel a deployment that is under way.
    let acting: Promise<unknown> = Promise.resolve();
    const doing = (act: () => Promise<unknown>): void => {
      acting = acting.then(act).catch((error: unknown) => failed.push(error));
    };
    const outage = async (): Promise<void> => {
      await proxy.down();
      await proxy.up();
    };
    const acts: [after: (told: string) => boolean, act: () => Promise<unknown>][] = [
      [
        (told) => told === 'v1 100',
        async () => {
          await world.run('stop', env.id);
          await world.run('start', env.id);
        },
      ],
      [(told) => told === 'v1 50', () => docker('restart', env.id)],
      [(told) => told === 'v1 200', outage],
      [(told) => told === 'v1 800', () => world.deploy('counter', app(COUNTER.replace('v1', 'v2')))],
      [(told) => told === 'v2 100', () => world.run('destroy', env.id)],
    ];
    for await (const told of world.operations.logs(
      logRequest(env.id, { follow: true }),
      AbortSignal.timeout(240_000),
    )) {
      const text = textOf(told);
      seen.push(text);
      if (acts[0]?.[0](text)) doing(acts.shift()![1]);
    }
    expect(failed).toEqual([]);
    expect(acts).toEqual([]);
    const news = seen.filter((text) => !/^v\d /.test(text));
    const end = ['bye', 'ended 7'];
    expect(news).toEqual([...end, 'started', ...end, 'started', ...end, 'started', ...end]);
    const runs = seen
      .join('\n')
      .split('\nstarted\n')
      .map((run) => run.split('\n'));
    expect(runs.map((run) => run[0])).toEqual(['v1 0', 'v1 0', 'v1 0', 'v2 0']);
    for (const run of runs) counted(run, run[0]!.slice(0, 2));
  });

  it('are taken up behind any entry, and chosen by output, time, number and text', async () => {
    const code = `
const line = (i) => (i % 3 ? console.log : console.error)('line ' + i + (i % 5 ? '' : ' fizz'));
for (let i = 0; i < 60; i++) line(i);
process.stdout.write(Buffer.from([0x66, 0xff, 0xfe, 0x6f, 0x0a]));
console.log('x'.repeat(${MIB}) + 'end');
console.log('all');
`;
    const { env } = await world.deploy('lines', app(code));
    for await (const told of world.operations.logs(
      logRequest(env.id, { follow: true }),
      AbortSignal.timeout(240_000),
    ))
      if (textOf(told) === 'all') break;
    const all = await logsOf(env.id);
    const texts = all.map(textOf);
    expect(texts.filter((text) => text.startsWith('line '))).toHaveLength(60);
    // Docker keeps logs as JSON: what is not UTF-8 it replaces.
    expect(texts).toContain('f\xef\xbf\xbd\xef\xbf\xbdo');
    const long = texts.filter((text) => /^(x|end$)/.test(text));
    expect(long.join('') === `${'x'.repeat(MIB)}end`).toBe(true);
    expect(Math.max(...long.map((text) => text.length))).toBeLessThanOrEqual(16 * 1024);

    for (const at of [0, 17, 40, all.length - 2, all.length - 1]) {
      const rest = await logsOf(env.id, { after: all[at]!.cursor });
      expect(rest.map(textOf)).toEqual(texts.slice(at + 1));
    }
    const errors = (await logsOf(env.id, { stream: 'stderr' })).map(textOf);
    expect(errors).toEqual(
      Array.from({ length: 20 }, (_, i) => `line ${3 * i}${(3 * i) % 5 ? '' : ' fizz'}`),
    );
    expect(await logsOf(env.id, { contains: 'fizz' })).toHaveLength(12);
    expect(await logsOf(env.id, { contains: 'fizz', stream: 'stderr' })).toHaveLength(4);
    expect((await logsOf(env.id, { tail: 2 })).map(textOf)).toEqual(texts.slice(-2));
    expect(await logsOf(env.id, { tail: 0 })).toEqual([]);
    const { entry } = all[30]!;
    const time = Date.parse(entry.kind === 'line' ? entry.chunk.timestamp : '');
    const before = (await logsOf(env.id, { until: time })).length;
    expect(before).toBeLessThanOrEqual(30);
    expect((await logsOf(env.id, { since: time })).length).toBe(all.length - before);
    expect(await logsOf(env.id, { since: Date.now() + 60_000 })).toEqual([]);

    const bad: [Partial<LogRequest>, string][] = [
      [{ services: ['app', 'nosuch'] }, 'services'],
      [{ after: 'nonsense' }, 'after'],
      [{ after: all[0]!.cursor, tail: 1 }, 'tail'],
      [{ tail: -1 }, 'tail'],
      [{ follow: true, until: 5 }, 'until'],
      [{ contains: 'y'.repeat(1_025) }, 'contains'],
    ];
    for (const [request, field] of bad)
      await expect(logsOf(env.id, request)).rejects.toMatchObject({
        reason: 'INVALID_ARGUMENT',
        violations: [{ field }],
      });
  });

  it('say where a reader that stopped was overtaken by rotation, and only there', async () => {
    const lines = 90_001;
    const code = `
const line = (i) => 'v1 ' + i + ' '.repeat(1000 - String(i).length) + '\\n';
let i = 0;
const more = () => {
  if (i === ${lines}) { written = i; return; }
  let block = '';
  for (let k = 0; k < 50; k++) block += line(i++);
  process.stdout.write(block, more);
};
process.stdout.write(line(i++));
// It floods when it is read.
process.on('SIGHUP', more);
`;
    const { env } = await world.deploy('flood', app(code));
    const reader = world.operations
      .logs(logRequest(env.id, { follow: true }), AbortSignal.timeout(240_000))
      [Symbol.asyncIterator]();
    const told: string[] = [];
    const take = async (): Promise<string> => {
      const text = textOf((await reader.next()).value as ToldEntry).trimEnd();
      told.push(text);
      return text;
    };
    await take();
    await docker('kill', '--signal', 'HUP', env.id);
    for (let i = 1; i < 50; i++) await take();
    // It reads no more until all is written: three times what the log keeps.
    while ((await (await fetch(env.url)).text()) !== String(lines));
    while ((await take()) !== `v1 ${lines - 1}`);
    await reader.return?.();
    const gaps = told.flatMap((text, i) => (text.startsWith('gap: ') ? [i] : []));
    expect(gaps).toHaveLength(1);
    expect(told[gaps[0]!]).toContain('rotated');
    expect(counted(told.slice(0, gaps[0]), 'v1') + counted(told.slice(gaps[0]! + 1), 'v1')).toBe(
      told.length - 1,
    );
    expect(told[0]).toBe('v1 0');
    expect(told.length).toBeLessThan(lines);
    expect(told.length).toBeGreaterThan(10_000);
  });
});
