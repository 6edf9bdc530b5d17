import { expect, test } from 'vitest';
import { decodePageToken, encodePageToken } from '../../../src/domain/page-token.js';

const POSITION = { createdAt: 1_700_000_000_000, id: 'env-0123456789ab' };

test('a page token gives its position back, for the query it was made for', () => {
  const token = encodePageToken(POSITION, ['envs', 'default']);
  expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
  expect(decodePageToken(token, ['envs', 'default'])).toEqual(POSITION);
  expect(() => decodePageToken(token, ['envs', 'other'])).toThrow(
    expect.objectContaining({
      reason: 'PAGE_TOKEN_INVALID',
      violations: [{ field: 'page_token', rule: expect.any(String) }],
    }),
  );
  expect(decodePageToken('', ['envs', 'default'])).toBeUndefined();
});

test.each([
  ['[]', 'an empty list'],
  ['{"id":"x"}', 'an object'],
  ['null', 'null'],
  ['["m","1","x"]', 'a time that is text'],
  ['["m",1.5,"x"]', 'a time that is not whole'],
  ['["m",1,"x",2]', 'one member too many'],
])('%s (%s) is no page token', (json) => {
  expect(() => decodePageToken(Buffer.from(json).toString('base64url'), [])).toThrow(
    expect.objectContaining({ reason: 'PAGE_TOKEN_INVALID' }),
  );
});
