import { createHash } from 'node:crypto';
import { BerthError } from './errors.js';

/** Where the next page begins: after the item of this time and id, newest first. */
export interface PagePosition {
  createdAt: number;
  id: string;
}

/**
 * An opaque token for the page after `position`. It is bound to what was asked (`query`: the method and its filter), so that
 * it cannot be taken to another list.
 */
export function encodePageToken(position: PagePosition, query: unknown): string {
  return Buffer.from(JSON.stringify([fingerprint(query), position.createdAt, position.id])).toString(
    'base64url',
  );
}

/** The position that `token` stands for; undefined for the first page (an empty token).
 * @throws BerthError PAGE_TOKEN_INVALID
 */
export function decodePageToken(token: string, query: unknown): PagePosition | undefined {
  if (token === '') return undefined;
  const [mark, createdAt, id, ...more] = parse(token);
  if (
    typeof createdAt !== 'number' ||
    !Number.isSafeInteger(createdAt) ||
    typeof id !== 'string' ||
    more.length > 0
  )
    throw invalidToken('was not made by this method');
  if (mark !== fingerprint(query)) throw invalidToken('was made for another filter or method');
  return { createdAt, id };
}

function parse(token: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function fingerprint(query: unknown): string {
  return createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 12);
}

function invalidToken(why: string): BerthError {
  return new BerthError('PAGE_TOKEN_INVALID', `page_token: ${why}; pass next_page_token unchanged, or none`, {
    violations: [{ field: 'page_token', rule: why }],
  });
}
