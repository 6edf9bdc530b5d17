import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import {
  App,
  Finding,
  FindingSeverity,
  GetAppResponse,
  ListAppsResponse,
  OperationOutcome,
  RenderAppResponse,
  type RenderAppRequest,
  type UploadAppRequest,
} from '../../../clients/typescript/src/index.js';
import { typedError, type Methods } from '../client-typescript/fake-daemon.js';
import { harness } from './harness.js';

const { daemon, folder, berth } = harness();

const GOOD = App.fromPartial({
  appId: 'shop',
  digest: 'sha256:abc',
  metadata: { runtimeType: 'node', name: 'Shop\u001b[2J' },
  sizeBytes: 2048,
  fileCount: 3,
  valid: true,
});
const WRONG = Finding.fromPartial({
  severity: FindingSeverity.ERROR,
  rule: 'metadata.invalid_value',
  path: 'metadata.json',
  field: 'containerPort',
  message: 'containerPort must be a whole number',
});
const BAD = App.fromPartial({ appId: 'bad', fileCount: 1, findings: [WRONG] });

function takes(archives: Buffer[], headers: unknown[] = []): Methods {
  return {
    env: {
      uploadApp(call, answer) {
        const pieces: Buffer[] = [];
        call.on('data', ({ request }: UploadAppRequest) => {
          if (request?.$case === 'data') pieces.push(Buffer.from(request.value));
          else headers.push(request?.value);
        });
        call.on('end', () => {
          archives.push(Buffer.concat(pieces));
          answer(null, { app: GOOD });
        });
      },
    },
  };
}

test('apps: a table over all pages, and what is wrong with those that are', async () => {
  await daemon({
    env: {
      listApps(call, answer) {
        const first = call.request.pageToken === '';
        answer(
          null,
          ListAppsResponse.fromPartial({ apps: [first ? GOOD : BAD], nextPageToken: first ? 'next' : '' }),
        );
      },
    },
  });
  const { code, io } = await berth(['apps']);
  expect(code).toBe(0);
  expect(io.out.lines).toEqual([
    'APP   RUNTIME  FILES  SIZE   DEPLOYABLE  NAME',
    'shop  node     3      2 KiB  yes         Shop\ufffd[2J',
    'bad            1      0 B    no',
    'error bad: metadata.json: containerPort must be a whole number (metadata.invalid_value)',
  ]);
  const { io: json } = await berth(['apps', '--json']);
  expect(JSON.parse(json.out.text)).toMatchObject({ apps: [{ appId: 'shop' }, { appId: 'bad' }] });
});

test('apps <app>: its files and findings', async () => {
  const files = [
    { path: 'metadata.json', sizeBytes: 20 },
    { path: 'link', linkTarget: '/etc' },
  ];
  await daemon({
    env: {
      getApp: (_, answer) =>
        answer(null, GetAppResponse.fromPartial({ app: { ...GOOD, findings: [WRONG] }, files })),
    },
  });
  const { code, io } = await berth(['apps', 'shop']);
  expect(code).toBe(0);
  expect(io.out.lines.slice(2)).toEqual([
    'sha256:abc',
    'error metadata.json: containerPort must be a whole number (metadata.invalid_value)',
    '  metadata.json  20 B',
    '  link -> /etc  0 B',
    '  and 1 more',
  ]);
});

test('apps upload: a folder is packed, without version control; an archive is sent as it is', async () => {
  const archives: Buffer[] = [];
  const headers: unknown[] = [];
  await daemon(takes(archives, headers));
  const app = join(await folder(), 'my shop');
  await mkdir(join(app, '.git'), { recursive: true });
  await mkdir(join(app, 'bin'));
  await writeFile(join(app, '.git/HEAD'), 'ref');
  await writeFile(join(app, 'metadata.json'), '{}');
  await writeFile(join(app, 'empty'), '');
  await writeFile(join(app, 'bin/start.sh'), '#!/bin/sh', { mode: 0o755 });

  const { code, io } = await berth(['apps', 'upload', app]);

  expect([code, io.err.text]).toEqual([0, '']);
  expect(io.out.lines).toEqual(['shop is stored: 3 files, 2 KiB', '`berth deploy --app shop` deploys it']);
  const tar = gunzipSync(archives[0]!).toString('latin1');
  for (const name of ['bin/start.sh', 'empty', 'metadata.json', '#!/bin/sh']) expect(tar).toContain(name);
  expect(tar).not.toContain('HEAD');

  const file = join(app, 'shop-2.tar.gz');
  await writeFile(file, 'as it is');
  expect((await berth(['apps', 'upload', file, '--replace'])).code).toBe(0);
  expect(archives[1]?.toString()).toBe('as it is');
  expect(headers).toMatchObject([
    { appId: 'my-shop', replace: false },
    { appId: 'shop-2', replace: true },
  ]);
});

test('apps upload: what cannot be sent, and what the daemon refuses', async () => {
  const app = await folder();
  expect(await berth(['apps', 'upload', join(app, 'none')])).toMatchObject({ code: 2 });
  await symlink('/etc/passwd', join(app, 'link'));
  await daemon({
    env: {
      uploadApp(call, answer) {
        call.on('data', () => {});
        call.on('end', () =>
          answer(
            typedError({
              code: status.ALREADY_EXISTS,
              reason: 'APP_EXISTS',
              message: 'app "shop" was uploaded before',
            }),
          ),
        );
      },
    },
  });
  const linked = await berth(['apps', 'upload', app]);
  expect([linked.code, linked.io.err.text]).toEqual([
    2,
    expect.stringContaining('is a link or a special file'),
  ]);
  await writeFile(join(app, 'a.zip'), 'x');
  const exists = await berth(['apps', 'upload', join(app, 'a.zip')]);
  expect([exists.code, exists.io.err.text]).toEqual([1, expect.stringContaining('(APP_EXISTS)')]);
});

test('apps render: the compose file alone on standard output, 1 when it would be refused', async () => {
  const asked: RenderAppRequest[] = [];
  const answers = [
    { composeYaml: 'name: x\n', steps: ['a', 'b'], deployable: true, outcome: OperationOutcome.CREATED },
    { findings: [WRONG] },
  ].map((answer) => RenderAppResponse.fromPartial(answer));
  await daemon({
    env: {
      renderApp(call, answer) {
        asked.push(call.request);
        answer(null, answers[asked.length - 1]!);
      },
    },
  });
  const good = await berth(['apps', 'render', '--app', 'shop', '-u', 'ada', '-e', 'A=b']);
  expect([good.code, good.io.out.text]).toEqual([0, 'name: x\n']);
  expect(good.io.err.lines).toEqual(['outcome: created; steps: a, b', 'it would be deployed']);
  expect(asked[0]?.deploy).toMatchObject({ userId: 'ada', appId: 'shop', env: { A: 'b' } });
  const bad = await berth(['apps', 'render', '--app', 'shop']);
  expect(bad.code).toBe(1);
  expect(bad.io.err.lines).toEqual([
    'outcome: not known; steps: none',
    'error metadata.json: containerPort must be a whole number (metadata.invalid_value)',
    'it would be refused',
  ]);
});

test('apps rm: each that is named, up to the first that is refused', async () => {
  const asked: string[] = [];
  await daemon({
    env: {
      deleteApp(call, answer) {
        asked.push(call.request.appId);
        if (call.request.appId !== 'used') return answer(null, {});
        answer(
          typedError({
            code: status.FAILED_PRECONDITION,
            reason: 'APP_IN_USE',
            message: 'env-aaaaaaaaaaaa runs it',
          }),
          null,
        );
      },
    },
  });
  const { code, io } = await berth(['apps', 'rm', 'shop', 'used', 'other']);
  expect(code).toBe(1);
  expect(io.out.text).toBe('shop is deleted\n');
  expect(io.err.text).toContain('APP_IN_USE');
  expect(asked).toEqual(['shop', 'used']);
});
