import { describe, expect, it } from 'vitest';
import { checkMetadata } from '../../../src/domain/env/app/metadata.js';
import {
  quotedName,
  quotedPattern,
  quotedText,
  schemaNameRule,
  sharedSchemaName,
} from '../../../src/domain/database/names.js';
import { databaseVariables } from '../../../src/domain/database/variables.js';
import { sqlFailureIn, sqlFileFailed } from '../../../src/domain/database/sql-error.js';

const ENV = 'env-0123456789ab';

describe('names of schemas', () => {
  it.each([
    ['shop', '`shop`', '`shop`', "'shop'"],
    ['a_b%c', '`a_b%c`', '`a\\_b\\%c`', "'a_b%c'"],
    ['tick`s', '`tick``s`', '`tick``s`', "'tick`s'"],
    ["o'clock", "`o'clock`", "`o'clock`", "'o''clock'"],
    ['back\\slash', '`back\\slash`', '`back\\\\slash`', "'back\\\\slash'"],
    [
      '"; DROP DATABASE x; --',
      '`"; DROP DATABASE x; --`',
      '`"; DROP DATABASE x; --`',
      "'\"; DROP DATABASE x; --'",
    ],
  ])('%j are quoted as identifier, pattern and text', (name, identifier, pattern, text) => {
    expect(schemaNameRule(name)).toBeUndefined();
    expect(quotedName(name)).toBe(identifier);
    expect(quotedPattern(name)).toBe(pattern);
    expect(quotedText(name)).toBe(text);
  });

  it.each([
    ['', 'empty'],
    ['x'.repeat(65), '64'],
    ['ends ', 'blank'],
    [' begins', 'blank'],
    ['bell\u0007', 'control'],
    ['smile\u{1f600}', 'basic'],
    ['%'.repeat(60), 'too long'],
  ])('%j are refused', (name, word) => {
    expect(schemaNameRule(name)).toContain(word);
    expect(() => checkMetadata({ runtimeType: 'node', database: { provider: 'shared', name } })).toThrow(
      expect.objectContaining({
        reason: 'APP_INVALID',
        violations: [expect.objectContaining({ field: 'metadata.json/database/name' })],
      }),
    );
  });

  it.each([
    [undefined, 'env_0123456789ab'],
    ['shop', 'shop_0123456789ab'],
    ['x'.repeat(64), `${'x'.repeat(51)}_0123456789ab`],
  ])('of %j on the shared server are of one env', (wanted, name) => {
    expect(sharedSchemaName(ENV, wanted)).toBe(name);
  });

  it('stay short enough for the directory that a schema is', () => {
    const name = sharedSchemaName(ENV, '%'.repeat(51));
    expect(name.endsWith('_0123456789ab')).toBe(true);
    expect(schemaNameRule(name)).toBeUndefined();
  });

  it.each(['../init.sql', '/etc/passwd', 'a//b', 'a\\b', ''])(
    'and of SQL files: %j is refused',
    (initSql) => {
      expect(() => checkMetadata({ runtimeType: 'node', database: { provider: 'shared', initSql } })).toThrow(
        /initSql/,
      );
    },
  );
});

describe('variables of a database', () => {
  it('say how it is reached, in each of the usual forms', () => {
    const connection = { host: 'db', port: 3306, name: "a'b c(d)/%?&`", user: 'app', password: 'p' };
    expect(databaseVariables(connection)).toEqual({
      DB_HOST: 'db',
      DB_PORT: '3306',
      DB_NAME: "a'b c(d)/%?&`",
      DB_USER: 'app',
      DB_PASSWORD: 'p',
      DB_URL:
        'jdbc:mysql://db:3306/a%27b%20c%28d%29%2F%25%3F%26%60?useSSL=false&allowPublicKeyRetrieval=true',
      DATABASE_URL: 'mysql://app:p@db:3306/a%27b%20c%28d%29%2F%25%3F%26%60',
    });
    const { pathname } = new URL(databaseVariables(connection)['DATABASE_URL'] ?? '');
    expect(decodeURIComponent(pathname.slice(1))).toBe(connection.name);
  });
});

describe("MySQL's errors", () => {
  it.each([
    [
      "ERROR 1064 (42000) at line 3: You have an error near 'x'",
      { code: '1064', line: 3, message: "You have an error near 'x'" },
    ],
    [
      "log\nERROR 1146 (42S02) at line 12 in file: 'a.sql': Table gone\nmore",
      { code: '1146', line: 12, message: 'Table gone' },
    ],
    ["ERROR at line 1: Unknown command '\\!'.", { code: '', line: 1, message: "Unknown command '\\!'." }],
    ['ERROR 2003 (HY000): Cannot connect', { code: '2003', line: undefined, message: 'Cannot connect' }],
    ['nothing of the kind', undefined],
  ])('are found in %j', (output, failure) => {
    expect(sqlFailureIn(output)).toEqual(failure);
  });

  it('become a typed error with file and line', () => {
    expect(sqlFileFailed('db/init.sql', { code: '1064', line: 3, message: 'no' })).toMatchObject({
      reason: 'DATABASE_INIT_FAILED',
      metadata: { file: 'db/init.sql', line: '3', mysql_code: '1064' },
      message: expect.stringContaining(
        'db/init.sql cannot be loaded at line 3: MySQL says 1064: no',
      ) as string,
    });
  });
});
