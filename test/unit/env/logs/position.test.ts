import { describe, expect, it } from 'vitest';
import { encodeCursor, parseCursor, type LogCursor } from '../../../../src/domain/env/logs/position.js';

const CURSOR: LogCursor = {
  since: 1_700_000_000_000,
  services: new Map([
    [
      'app',
      {
        containerId: 'ab'.repeat(32),
        anchor: { stream: 'stderr', timestamp: '2026-01-02T03:04:05.123456789Z', nth: 12 },
        tail: undefined,
        running: true,
        startedAt: 1_700_000_000_001,
        finishedAt: 0,
      },
    ],
    ['db', { containerId: 'cd', anchor: undefined, tail: 7, running: false, startedAt: 0, finishedAt: 17 }],
    [
      'none-told',
      { containerId: 'ef', anchor: undefined, tail: undefined, running: false, startedAt: 0, finishedAt: 0 },
    ],
  ]),
};
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a cursor', () => {
  it('comes back as it was', () => {
    expect(parseCursor(encodeCursor(CURSOR))).toEqual(CURSOR);
    const empty = { since: undefined, services: new Map() };
    expect(parseCursor(encodeCursor(empty))).toEqual(empty);
  });

  it.each([
    ['nothing of ours', 'hello'],
    ['not JSON', Buffer.from('{').toString('base64url')],
    ['another version', encoded([1, -1, []])],
    ['no list', encoded([2, -1, {}])],
    ['a negative time', encoded([2, -2, []])],
    ['a service without a name', encoded([2, -1, [[5, 'ab', '', 0, 0, 0, 0]]])],
    ['a container id that is a path', encoded([2, -1, [['app', '../x', '', 0, 0, 0, 0]]])],
    ['a time that is none', encoded([2, -1, [['app', 'ab', 'oyesterday', 0, 0, 0, 0]]])],
    ['a fraction', encoded([2, -1, [['app', 'ab', '', 0.5, 0, 0, 0]]])],
    ['too few parts', encoded([2, -1, [['app', 'ab']]])],
    ['more services than there are', encoded([2, -1, Array(65).fill(['app', 'ab', '', 0, 0, 0, 0])])],
    ['without end', 'A'.repeat(70_000)],
  ])('that is none is refused: %s', (_, cursor) => {
    expect(() => parseCursor(cursor)).toThrow(
      expect.objectContaining({
        reason: 'INVALID_ARGUMENT',
        violations: [expect.objectContaining({ field: 'after' })],
      }),
    );
  });
});
