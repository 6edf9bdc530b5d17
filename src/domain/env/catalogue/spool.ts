import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { BerthError, invalid } from '../../errors.js';

export const MAX_ARCHIVE_BYTES = 256 * 1024 * 1024;
const MAX_CHUNK_BYTES = 1024 * 1024;

export interface SpoolTimes {
  /** Time without a byte after which an upload is given up. Milliseconds. */
  stallMs: number;
  /** Time that an upload may take until its last byte is here. Milliseconds. */
  totalMs: number;
}

export const SPOOL_TIMES: SpoolTimes = { stallMs: 30_000, totalMs: 15 * 60_000 };

export interface Announced {
  /** 0: not known beforehand. */
  sizeBytes: number;
  /** In hex; empty: not checked. */
  sha256: string;
}

/**
 * Writes an archive to a file as it arrives, and checks it against what was announced.
 * @returns its SHA-256, in hex
 * @throws INVALID_ARGUMENT naming the field and rule, UPLOAD_STALLED, or the signal's reason
 */
export async function spool(
  path: string,
  data: AsyncIterable<Uint8Array>,
  announced: Announced,
  signal: AbortSignal,
  times: SpoolTimes = SPOOL_TIMES,
): Promise<string> {
  const hash = createHash('sha256');
  const most = announced.sizeBytes || MAX_ARCHIVE_BYTES;
  let bytes = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of inTime(data, signal, times)) {
      if (chunk.length > MAX_CHUNK_BYTES) {
        throw invalid({ field: 'data', rule: `must be at most ${MAX_CHUNK_BYTES} bytes a message` });
      }
      bytes += chunk.length;
      if (bytes > most) throw sizeRefused(announced.sizeBytes, `more than ${most}`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  if (announced.sizeBytes !== 0 && bytes !== announced.sizeBytes) {
    throw sizeRefused(announced.sizeBytes, String(bytes));
  }
  const sha256 = hash.digest('hex');
  if (announced.sha256 !== '' && announced.sha256.toLowerCase() !== sha256) {
    throw invalid({ field: 'header.sha256', rule: `must be that of the archive, which is ${sha256}` });
  }
  return sha256;
}

function sizeRefused(announcedBytes: number, came: string): BerthError {
  return announcedBytes === 0
    ? invalid({ field: 'data', rule: `must be at most ${MAX_ARCHIVE_BYTES} bytes in all` })
    : invalid({ field: 'header.size_bytes', rule: `must be that of the archive: ${came} bytes came` });
}

/** What the iterable gives, unless it takes too long or the signal is aborted. */
async function* inTime(
  data: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  { stallMs, totalMs }: SpoolTimes,
): AsyncGenerator<Uint8Array> {
  const chunks = data[Symbol.asyncIterator]();
  const end = performance.now() + totalMs;
  try {
    for (;;) {
      const next = await within(chunks.next(), Math.min(stallMs, end - performance.now()), signal);
      signal.throwIfAborted();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // Not waited for: an iterable that stalls cannot end either.
    void chunks.return?.(undefined)?.catch(() => {});
  }
}

function within<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void =>
      reject(
        new BerthError(
          'UPLOAD_STALLED',
          'the upload sent too little for too long, and was given up; send it again',
        ),
      );
    const abort = (): void => reject(signal.reason as Error);
    const timer = setTimeout(late, Math.max(ms, 0));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    });
  });
}
