import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DatabasePasswords } from '../../../src/domain/database/passwords.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-passwords-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe('passwords of databases', () => {
  it('are the same after a restart, and different for each purpose and each host', async () => {
    const file = join(directory, 'state', 'key');
    const password = (await DatabasePasswords.fromFile(file)).of('env:a');
    expect(password).toMatch(/^[0-9a-f]{40}$/);
    expect((await DatabasePasswords.fromFile(file)).of('env:a')).toBe(password);
    expect((await DatabasePasswords.fromFile(file)).of('env:b')).not.toBe(password);
    expect((await DatabasePasswords.fromFile(join(directory, 'other'))).of('env:a')).not.toBe(password);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('are not made from another key where the first cannot be read', async () => {
    const file = join(directory, 'key');
    await writeFile(file, 'not a key');
    await expect(DatabasePasswords.fromFile(file)).rejects.toMatchObject({ reason: 'INTERNAL' });
  });
});
