import { describe, expect, it } from 'vitest';
import type { LogChunk } from '../../../src/domain/env/engine.js';
import { LogRecordWriter, readLogRecords } from '../../../src/engine/docker/log-records.js';
import { LogAssembler } from '../../../src/engine/docker/worker/log-assembler.js';
import { StdcopyDemultiplexer } from '../../../src/engine/docker/worker/stdcopy-demultiplexer.js';
import { TtyLogSplitter } from '../../../src/engine/docker/worker/tty-log-splitter.js';

const TIME = '2026-01-02T03:04:05.123456789Z';
const LATER = '2026-01-02T03:04:06.000000001Z';

function message(stream: 1 | 2, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** Everything that comes out when the bytes go in, in pieces of the given size. */
function decode(kind: 'framed' | 'tty', bytes: Buffer, pieceBytes = bytes.length): LogChunk[] {
  const records = new LogRecordWriter();
  const assembler = new LogAssembler(records);
  const tty = new TtyLogSplitter(assembler);
  const decoder = kind === 'tty' ? tty : new StdcopyDemultiplexer(assembler);
  const chunks: LogChunk[] = [];
  const take = (): void => {
    const batch = records.take();
    if (batch) chunks.push(...readLogRecords(batch));
  };
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    decoder.push(bytes.subarray(at, at + pieceBytes));
    take();
  }
  if (kind === 'tty') tty.finish();
  take();
  return chunks;
}

const plain = (chunks: LogChunk[]) =>
  chunks.map(({ stream, timestamp, data }) => [stream, timestamp, Buffer.from(data).toString()]);

describe('log of a container without a terminal', () => {
  const bytes = Buffer.concat([
    message(1, `${TIME} hello world\n`),
    message(2, `${LATER} \n`),
    message(1, `${LATER} no newline`),
    message(1, 'no-timestamp-at-all-but-a-very-long-word-that-goes-on-and-on-and-on-and-on\n'),
  ]);
  const expected = [
    ['stdout', TIME, 'hello world\n'],
    ['stderr', LATER, '\n'],
    ['stdout', LATER, 'no newline'],
    ['stdout', '', 'no-timestamp-at-all-but-a-very-long-word-that-goes-on-and-on-and-on-and-on\n'],
  ];

  it.each([1, 3, 17, 1000])('gives lines with stream and time from reads of %i bytes', (pieceBytes) => {
    expect(plain(decode('framed', bytes, pieceBytes))).toEqual(expected);
  });

  it('cuts a very long message into parts of 16 KiB and a line end with the same time', () => {
    const text = 'x'.repeat(150_000);
    const chunks = decode('framed', message(1, `${TIME} ${text}`), 10_000);
    const part = 16 * 1024 + 2;
    expect(chunks.map((c) => c.data.length)).toEqual([...Array<number>(9).fill(part), 150_000 - 9 * part]);
    expect(new Set(chunks.map((c) => c.timestamp))).toEqual(new Set([TIME]));
    expect(Buffer.concat(chunks.map((c) => c.data)).toString()).toBe(text);
  });
});

describe('log of a container with a terminal', () => {
  it.each([1, 7, 4096])('finds lines in reads of %i bytes', (pieceBytes) => {
    const bytes = Buffer.from(`${TIME} one\r\n${LATER} two\r\n${LATER} prompt> `);
    expect(plain(decode('tty', bytes, pieceBytes))).toEqual([
      ['stdout', TIME, 'one\r\n'],
      ['stdout', LATER, 'two\r\n'],
      ['stdout', LATER, 'prompt> '],
    ]);
  });

  it.each([1, 1000, 40_000])(
    'takes the time out of a long line that Docker stored in parts (reads of %i)',
    (piece) => {
      const full = 'a'.repeat(16 * 1024);
      const bytes = Buffer.from(`${TIME} ${full}${LATER} ${full}${LATER} tail\r\n${TIME} next\r\n`);
      expect(plain(decode('tty', bytes, piece))).toEqual([
        ['stdout', TIME, full],
        ['stdout', LATER, full],
        ['stdout', LATER, 'tail\r\n'],
        ['stdout', TIME, 'next\r\n'],
      ]);
    },
  );

  it('keeps what follows a full part when it is no time', () => {
    const line = `${'a'.repeat(16 * 1024)}${'b'.repeat(100)}\n`;
    const chunks = decode('tty', Buffer.from(`${TIME} ${line}${LATER} next\n`), 500);
    expect(plain(chunks)).toEqual([
      ['stdout', TIME, line.slice(0, 16 * 1024 + 2)],
      ['stdout', TIME, line.slice(16 * 1024 + 2)],
      ['stdout', LATER, 'next\n'],
    ]);
    expect(plain(decode('tty', Buffer.from(`${TIME} ${'a'.repeat(16 * 1024)}\n`)))).toHaveLength(1);
  });
});
