import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  connect,
  operationEnd,
  OutputStream,
  type BerthClient,
  type BerthRpcError,
  type DeepPartial,
  type Env,
  type ExecEnvEnded,
  type ExecEnvEvent,
  type ExecEnvStart,
  type ExecStream,
} from '../../../clients/typescript/src/index.js';
import { docker } from '../../support/docker-cli.js';
import { hostState } from '../../support/host-state.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { berth } from '../cli/berth.js';

const APPS = resolve(import.meta.dirname, '../../../templates/apps');
const CLI = resolve(import.meta.dirname, '../../../dist/src/cli/main.js');
const MIB = 1024 * 1024;
const MAX_SESSIONS = 4;

let before: string[];
let daemon: TestDaemon;
let client: BerthClient;
let web: Env;
let game: Env;

beforeAll(async () => {
  before = await hostState();
  daemon = await startDaemon({
    env: {
      BERTH_ENV_PORT_FIRST: '18640',
      BERTH_ENV_PORT_LAST: '18660',
      BERTH_ENV_SUBNETS: '10.214.4.0/22',
      BERTH_ENV_APPS_PATH: APPS,
      BERTH_ENV_STOP_GRACE_MS: '2000',
      BERTH_ENV_MAX_SESSIONS: String(MAX_SESSIONS),
      BERTH_POOL_POOLING: 'off',
    },
    waitForPool: false,
  });
  client = connect({ address: daemon.address });
  [web, game] = await Promise.all([deployed('hello-python'), deployed('guess-number')]);
});

afterAll(async () => {
  for (const env of [web, game]) if (env) for await (const _ of client.destroy(env.envId));
  client.close();
  expect(await daemon.stop()).toBe(0);
  expect(await hostState(daemon.stateDir)).toEqual(before);
  await daemon.dispose();
});

async function deployed(appId: string): Promise<Env> {
  for await (const event of client.deploy({ userId: 'ada', appId })) {
    const end = operationEnd(event);
    if (end?.$case === 'succeeded') return end.value.env!;
    if (end !== undefined) throw new Error(JSON.stringify(end));
  }
  throw new Error('no end');
}

interface Ran {
  events: ExecEnvEvent[];
  stdout: string;
  stderr: string;
  ended: ExecEnvEnded;
}

/** What a stream tells from here to its end, checked for the form that every one has. */
async function toEnd(stream: AsyncIterable<ExecEnvEvent>): Promise<Ran> {
  const events: ExecEnvEvent[] = [];
  for await (const event of stream) events.push(event);
  expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1));
  expect(events[0]?.event?.$case).toBe('started');
  const last = events.at(-1)?.event;
  if (last?.$case !== 'ended') throw new Error('it ended without saying so');
  const text = (wanted: OutputStream): string =>
    Buffer.concat(
      events.flatMap(({ event }) =>
        event?.$case === 'output' && event.value.stream === wanted ? [event.value.data] : [],
      ),
    ).toString();
  return { events, stdout: text(OutputStream.STDOUT), stderr: text(OutputStream.STDERR), ended: last.value };
}

const sh = (script: string, more: DeepPartial<ExecEnvStart> = {}): ExecStream =>
  client.exec({ envId: web.envId, argv: ['sh', '-c', script], ...more });

/** Reads a stream as a person does: up to a text. */
class Conversation {
  readonly #events: AsyncIterator<ExecEnvEvent>;
  #heard = '';

  constructor(readonly stream: ExecStream) {
    this.#events = stream[Symbol.asyncIterator]();
  }

  /** Everything up to and with the text, which is not heard again. */
  async hear(text: string | RegExp): Promise<string> {
    for (;;) {
      const match = typeof text === 'string' ? this.#heard.indexOf(text) : this.#heard.search(text);
      if (match >= 0) {
        const length = typeof text === 'string' ? text.length : text.exec(this.#heard)![0].length;
        const all = this.#heard.slice(0, match + length);
        this.#heard = this.#heard.slice(match + length);
        return all;
      }
      const { done, value } = await this.#events.next();
      if (done) throw new Error(`it ended before it said ${text}: ${this.#heard}`);
      if (value.event?.$case === 'output') this.#heard += value.event.value.data.toString();
      if (value.event?.$case === 'ended') throw new Error(`it ended before it said ${text}: ${this.#heard}`);
    }
  }

  async ended(): Promise<ExecEnvEnded> {
    for (;;) {
      const { done, value } = await this.#events.next();
      if (done) throw new Error('it ended without saying so');
      if (value.event?.$case === 'ended') return value.event.value;
    }
  }

  say(text: string): Promise<void> {
    return this.stream.write(Buffer.from(text));
  }
}

async function failure(stream: AsyncIterable<unknown>): Promise<BerthRpcError> {
  try {
    for await (const _ of stream);
  } catch (error) {
    return error as BerthRpcError;
  }
  throw new Error('the call was expected to fail');
}

const logged = (event: string): number => daemon.log.filter((line) => line.event === event).length;
/** Resolves when every session that began is over, and when one is not. */
const allOver = () => daemon.logged(() => logged('exec_ended') === logged('exec_started'));
const underWay = () => daemon.logged(() => logged('exec_ended') < logged('exec_started'));

describe('a command in an env', () => {
  it('has its outputs apart, its exit code, its directory, variables and user', async () => {
    const ran = await toEnd(
      sh('echo "$GREETING from $(pwd) as $(id -u)"; echo wrong >&2; exit 42', {
        env: { GREETING: 'hello' },
        cwd: '/tmp',
        user: 'nobody',
      }),
    );
    expect(ran).toMatchObject({ stdout: 'hello from /tmp as 65534\n', stderr: 'wrong\n' });
    expect(ran.ended).toMatchObject({ exitCode: 42, containerEnded: false, message: '' });
    expect(ran.events[0]!.event).toMatchObject({
      value: { service: 'app', containerId: web.containerId, argv: ['sh', '-c', expect.any(String)] },
    });
  });

  it('takes standard input to its end, and gives back as much, at the pace of both', async () => {
    const stream = sh('cat | tee /dev/stderr');
    const block = Buffer.from(Array.from({ length: 64 * 1024 }, (_, i) => i % 251));
    const bytes = { out: 0, err: 0 };
    let broken = 0;
    const reading = (async () => {
      for await (const { event } of stream) {
        if (event?.$case === 'ended') return event.value;
        if (event?.$case !== 'output') continue;
        const which = event.value.stream === OutputStream.STDOUT ? 'out' : 'err';
        for (const byte of event.value.data) if (byte !== (bytes[which]++ % block.length) % 251) broken++;
      }
      throw new Error('no end');
    })();
    for (let i = 0; i < 64; i++) await stream.write(block);
    stream.closeStdin();
    expect(await reading).toMatchObject({ exitCode: 0 });
    expect({ ...bytes, broken }).toEqual({ out: 4 * MIB, err: 4 * MIB, broken: 0 });
  });

  it('has a terminal of the size that it is given, also later; a shell where no command is named', async () => {
    const shell = new Conversation(
      client.exec({ envId: web.envId, terminal: { size: { columns: 101, rows: 33 }, term: 'vt100' } }),
    );
    await shell.say('stty size; echo "$TERM $0"; tty | cut -c1-8\n');
    await shell.hear('33 101');
    await shell.hear('vt100 bash');
    await shell.hear('/dev/pts');
    shell.stream.resize(70, 20);
    await shell.say('stty size\n');
    await shell.hear('20 70');
    await shell.say('sleep 1000\n');
    await shell.hear('sleep 1000');
    await shell.say('\u0003');
    await shell.hear(/[#$] /);
    await shell.say('exit 5\n');
    expect(await shell.ended()).toMatchObject({ exitCode: 5 });
  });

  it('gets signals', async () => {
    const command = new Conversation(
      sh('trap "echo caught; exit 9" USR1; echo ready; while :; do sleep 0.05; done'),
    );
    await command.hear('ready');
    command.stream.signal('SIGUSR1');
    await command.hear('caught');
    expect(await command.ended()).toMatchObject({ exitCode: 9 });
  });

  it('dies with its client, and all its children with it', async () => {
    const command = new Conversation(sh('sleep 7171 & (sleep 7172 & sleep 7173) & echo ready; sleep 7174'));
    await command.hear('ready');
    expect(await docker('top', web.containerId)).toContain('sleep 7172');
    command.stream.close();
    await allOver();
    expect(await docker('top', web.containerId)).not.toContain('sleep 717');
  });

  it('that floods a client that stops reading waits, and costs berthd nothing', async () => {
    const rss = async (): Promise<number> =>
      Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${daemon.process.pid}/status`, 'utf8'))![1]) / 1024;
    const before = await rss();
    const floods = Array.from({ length: 3 }, () =>
      sh('yes', { terminal: undefined })[Symbol.asyncIterator](),
    );
    for (const flood of floods) {
      await flood.next();
      await flood.next();
    }
    for (let i = 0; i < 50; i++) await client.env.getEnv({ envId: web.envId });
    expect((await rss()) - before).toBeLessThan(100);
    for (const flood of floods) await flood.return?.(undefined);
  });

  it('ends with its container, and says so', async () => {
    const env = await deployed('hello-node');
    try {
      const command = new Conversation(client.exec({ envId: env.envId, argv: ['sleep', '1000'] }));
      const ended = command.ended();
      await daemon.logged((line) => line.event === 'exec_started' && line['env'] === env.envId);
      for await (const _ of client.stop(env.envId));
      expect(await ended).toMatchObject({ containerEnded: true });
      const stopped = await failure(client.exec({ envId: env.envId }));
      expect(stopped).toMatchObject({ reason: 'ENV_STATE', metadata: { state: 'stopped' } });
      expect(stopped.message).toContain('stopped');
    } finally {
      for await (const _ of client.destroy(env.envId));
    }
  });
});

describe('what cannot be run', () => {
  it.each<[string, DeepPartial<ExecEnvStart>, string]>([
    ['a service that there is not', { service: 'db' }, 'start.service'],
    ['a user that the container does not know', { argv: ['id'], user: 'nosuch' }, 'start.user'],
    ['a directory that there is not', { argv: ['id'], cwd: '/no/such' }, 'start.cwd'],
    ['a directory that is not absolute', { argv: ['id'], cwd: 'tmp' }, 'start.cwd'],
    ['a variable without a name', { argv: ['id'], env: { 'A-B': '' } }, 'start.env.A-B'],
    ['an empty command', { argv: [''] }, 'start.argv[0]'],
    ['a command of the main process', { argv: ['id'], attach: true }, 'start.argv'],
    ['the main process of an app without input', { attach: true }, 'start.attach'],
    [
      'a terminal without end',
      { terminal: { size: { columns: 1_001, rows: 1 } } },
      'start.terminal.size.columns',
    ],
  ])('is refused: %s', async (_, start, field) => {
    const refused = await failure(client.exec({ envId: web.envId, ...start }));
    expect(refused).toMatchObject({ reason: 'INVALID_ARGUMENT', violations: [{ field }] });
  });

  it('is told by the exit code that Docker has for it: a command that there is not', async () => {
    const ran = await toEnd(client.exec({ envId: web.envId, argv: ['nosuch'] }));
    expect([126, 127]).toContain(ran.ended.exitCode);
    expect(ran.stdout + ran.stderr).toContain('nosuch');
  });

  it('is refused: messages that are out of place', async () => {
    const call = client.generated.env.execEnv();
    call.write({ request: { $case: 'stdin', value: Buffer.from('hello') } });
    const [error] = (await once(call, 'error')) as [{ details: string }];
    expect(error.details).toContain('first message');
    const unknown = sh('sleep 1000');
    unknown.signal('SIGWHATEVER');
    expect(await failure(unknown)).toMatchObject({
      reason: 'INVALID_ARGUMENT',
      violations: [{ field: 'signal' }],
    });
    const closed = sh('sleep 1000');
    closed.closeStdin();
    await closed.write(Buffer.from('more'));
    expect(await failure(closed)).toMatchObject({ violations: [{ field: 'stdin' }] });
  });

  it("is refused: another tenant's env, an id that is in use, and more than there may be at once", async () => {
    using stranger = connect({ address: daemon.address, tenant: 'somebody-else' });
    expect(await failure(stranger.exec({ envId: web.envId }))).toMatchObject({ reason: 'ENV_NOT_FOUND' });
    const first = new Conversation(sh('echo up; sleep 1000', { requestId: 'once' }));
    await first.hear('up');
    expect(await failure(sh('id', { requestId: 'once' }))).toMatchObject({ reason: 'REQUEST_ID_REUSED' });
    const others = Array.from(
      { length: MAX_SESSIONS - 1 },
      () => new Conversation(sh('echo up; sleep 1000')),
    );
    for (const other of others) await other.hear('up');
    expect(await failure(sh('id'))).toMatchObject({ reason: 'OVERLOADED', quota: [{ subject: web.envId }] });
    for (const { stream } of [first, ...others]) stream.close();
  });
});

/** Finds the number by halves. */
async function win(hear: (text: RegExp) => Promise<string>, say: (text: string) => unknown): Promise<void> {
  let [least, most] = [1, 100];
  for (;;) {
    const guess = Math.floor((least + most) / 2);
    await say(`${guess}\n`);
    const answer = await hear(/Higher\.|Lower\.|Right, after \d+ guesses!/);
    if (answer.includes('Right')) return;
    if (answer.includes('Higher')) least = guess + 1;
    else most = guess - 1;
  }
}

describe('a game for the terminal', () => {
  it('is played with `berth attach` in a terminal, and left with Ctrl-P Ctrl-Q', async () => {
    await allOver();
    const child = spawn('script', ['-qefc', `${process.execPath} ${CLI} attach ${game.envId}`, '/dev/null'], {
      env: { ...process.env, BERTH_ADDRESS: daemon.address, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    // Before it can happen: a process may be seen to end before the last of its output is.
    const exited = once(child, 'exit');
    let heard = '';
    child.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    const hear = async (text: RegExp): Promise<string> => {
      while (!text.test(heard)) await once(child.stdout, 'data');
      const match = text.exec(heard)!;
      heard = heard.slice(match.index + match[0].length);
      return match[0];
    };
    await underWay();
    await win(hear, (text) => child.stdin.write(text));
    child.stdin.write('\u0010\u0011');
    await hear(/detached/);
    expect(await exited).toEqual([0, null]);
  });

  it('is played by attaching to it, and goes on when its player leaves', async () => {
    expect(game.url).toBe('');
    expect((await client.env.getEnv({ envId: game.envId })).env).toMatchObject({ attachable: true });
    expect((await client.env.getEnv({ envId: web.envId })).env).toMatchObject({ attachable: false });
    const play = (): Conversation =>
      new Conversation(
        client.exec({ envId: game.envId, attach: true, terminal: { size: { columns: 80, rows: 24 } } }),
      );
    const first = play();
    await first.say('no number\n');
    await first.hear('That is no number.');
    first.stream.close();
    const second = play();
    await win(
      (text) => second.hear(text),
      (text) => second.say(text),
    );
    await second.hear('I think of a number');
    await second.say('quit\n');
    expect(await second.ended()).toMatchObject({ containerEnded: true });
  });
});

describe('berth exec', () => {
  it('passes input, outputs and the exit code on', async () => {
    const args = ['exec', '--env', 'NAME=ada', '--cwd', '/tmp', web.envId, '--', 'sh', '-c'];
    const ran = await berth(daemon.address, [...args, 'read x; echo "$NAME $x"; pwd >&2; exit 7'], 'typed\n');
    expect(ran).toMatchObject({ code: 7, stdout: Buffer.from('ada typed\n'), stderr: '/tmp\n' });
    const missing = await berth(daemon.address, ['exec', '--service', 'db', web.envId, '--', 'id']);
    expect(missing.code).toBe(125);
    expect(missing.stderr).toContain('start.service');
  });
});
