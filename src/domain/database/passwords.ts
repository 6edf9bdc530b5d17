import { createHmac, randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BerthError, messageOf } from '../errors.js';

const KEY_BYTES = 32;

/**
 * Passwords of databases. Each is made from one random key and the name of what it is for, so none has to be kept
 * anywhere: a replaced env, whose data stays, gets the password that its data knows. Letters and digits only, so that
 * they stand in URLs, SQL and shell alike.
 */
export class DatabasePasswords {
  constructor(private readonly key: Uint8Array) {}

  /**
   * With the key of a file, which is made when it is not there, readable by its owner only.
   * @throws BerthError INTERNAL when the file cannot be used
   */
  static async fromFile(path: string): Promise<DatabasePasswords> {
    try {
      await mkdir(dirname(path), { recursive: true });
      return new DatabasePasswords(await existing(path).catch(() => made(path)));
    } catch (error) {
      throw new BerthError('INTERNAL', `the key of database passwords in ${path}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** @param purpose such as `env:env-0123456789ab` */
  of(purpose: string): string {
    return createHmac('sha256', this.key).update(purpose).digest('hex').slice(0, 40);
  }
}

async function existing(path: string): Promise<Uint8Array> {
  const key = Buffer.from((await readFile(path, 'utf8')).trim(), 'hex');
  if (key.length !== KEY_BYTES) throw new Error(`it must be ${KEY_BYTES} bytes as hexadecimal digits`);
  return key;
}

/** Fails when the file is there: a key that cannot be read must not be replaced, since databases hang on it. */
async function made(path: string): Promise<Uint8Array> {
  const key = randomBytes(KEY_BYTES);
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(`${key.toString('hex')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return key;
}
