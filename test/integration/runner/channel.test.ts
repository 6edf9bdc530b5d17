import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodePing, RunnerDeframer } from '#dist/src/domain/sandbox/runner-protocol.js';
import { runnerSocketPath, RUNNER_SOCKET_TMPFS } from '#dist/src/engine/docker/sandbox/runner-socket-path.js';
import { TestSandbox } from './test-sandbox.js';

const HEAD_BYTES = 8;

let box: TestSandbox;
beforeEach(async () => {
  const [[directory, options]] = Object.entries(RUNNER_SOCKET_TMPFS) as [[string, string]];
  box = await TestSandbox.start({ dockerArgs: ['--tmpfs', `${directory}:${options}`] });
});
afterEach(() => box.close());

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();

function pathOnHost(): string | undefined {
  return runnerSocketPath(Number(docker('inspect', '--format', '{{.State.Pid}}', box.name)));
}

test('code can neither enter the socket’s directory nor change it', async () => {
  const outcome = await box.once({
    code: `
import os, socket
for attempt in (os.listdir, os.stat, lambda p: socket.socket(socket.AF_UNIX).connect(p), os.unlink, os.rmdir):
    for path in ('/berth/channel/socket', '/berth/channel/other'):
        try: print('did', attempt(path))
        except OSError as error: print(type(error).__name__)
for attempt in (os.listdir, lambda p: os.chmod(p, 0o777), lambda p: os.rename(p, '/berth/x'), os.rmdir):
    try: print('did', attempt('/berth/channel'))
    except OSError as error: print(error.errno in (1, 13, 16, 30))
`,
  });
  expect(outcome.stderr).toBe('');
  expect(outcome.stdout).toBe('PermissionError\n'.repeat(10) + 'True\n'.repeat(4));
});

test('uid 0 inside the container is not taken for the daemon', async () => {
  const code = [
    'import socket',
    's = socket.socket(socket.AF_UNIX)',
    's.connect("/berth/channel/socket")',
    'print(s.recv(100))',
  ].join('\n');
  expect(docker('exec', '--user', '0', box.name, 'python3', '-c', code)).toBe("b''");
  expect((await box.once({ code: 'print("alive")' })).stdout).toBe('alive\n');
});

test.skipIf(process.getuid?.() !== 0)(
  'the daemon goes on through it, and its end is the runner’s',
  async () => {
    const file = pathOnHost();
    expect(file).toBeDefined();
    const socket = connect(file!);
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(Number(first.readBigUInt64BE())).toBeGreaterThan(100); // READY and PREPARED came the old way
    // Told before it is sent: the runner reads stdin up to there first.
    const ping = encodePing();
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeBigUInt64BE(BigInt(box.sentBytes + ping.length));
    socket.write(Buffer.concat([head, ping]));
    box.send(ping);
    expect(await messages(socket, 2)).toEqual(['pong', 'pong']);

    const second = connect(file!);
    const [error] = (await once(second, 'error')) as [NodeJS.ErrnoException];
    expect(['ENOENT', 'ECONNREFUSED']).toContain(error.code);

    socket.end();
    expect(await box.exited).toBe(0);
  },
);

async function messages(socket: Socket, count: number): Promise<string[]> {
  const deframer = new RunnerDeframer();
  const types: string[] = [];
  while (types.length < count) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    for (const { type } of deframer.push(chunk)) types.push(type);
  }
  return types;
}
