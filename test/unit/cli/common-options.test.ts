import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { App, SharedDatabase } from '../../../clients/typescript/src/index.js';
import type { Methods } from '../client-typescript/fake-daemon.js';
import { harness } from './harness.js';

const { daemon, folder, io, berth } = harness();

/** Answers, and notes for whom it was asked. */
function answering(tenants: string[]): Methods {
  return {
    env: {
      uploadApp(call, answer) {
        tenants.push(String(call.metadata.get('berth-tenant')[0]));
        call.on('data', () => undefined);
        call.on('end', () => answer(null, { app: App.fromPartial({ appId: 'shop' }) }));
      },
      ensureSharedDatabase(call, answer) {
        tenants.push(String(call.metadata.get('berth-tenant')[0]));
        answer(null, { database: SharedDatabase.fromPartial({}) });
      },
    },
  };
}

test.each([
  ['behind', (common: string[], file: string) => ['apps', 'upload', file, ...common]],
  ['between', (common: string[], file: string) => ['apps', ...common, 'upload', file]],
  ['behind, elsewhere', (common: string[]) => ['database', 'ensure', ...common]],
])('the options that all commands have count for a command of a command: %s', async (_, args) => {
  const tenants: string[] = [];
  const { address } = await daemon(answering(tenants));
  const file = join(await folder(), 'shop.tar');
  await writeFile(file, 'an archive');
  const common = ['--address', address, '--tenant', 'course-7', '--json'];

  const nobody = io({ env: { BERTH_ADDRESS: '127.0.0.1:1' } });
  const { code } = await berth(args(common, file), nobody);

  expect([code, nobody.err.text]).toEqual([0, '']);
  expect(tenants).toEqual(['course-7']);
  expect(() => JSON.parse(nobody.out.text)).not.toThrow();
});
