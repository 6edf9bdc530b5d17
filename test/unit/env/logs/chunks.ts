import type { LogChunk } from '../../../../src/domain/env/engine.js';

/** A line written at so many nanoseconds of one fixed second (or at a millisecond of it: `at(5)`). */
export function line(nanos: number, text: string, stream: LogChunk['stream'] = 'stdout'): LogChunk {
  const seconds = String(Math.floor(nanos / 1e9)).padStart(2, '0');
  const rest = String(nanos % 1e9).padStart(9, '0');
  return { stream, timestamp: `2026-01-02T03:04:${seconds}.${rest}Z`, data: Buffer.from(`${text}\n`) };
}

export const ms = (value: number): number => value * 1_000_000;

export function textOf({ data }: LogChunk): string {
  return Buffer.from(data).toString().replace(/\n$/, '');
}

export async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) {
    await Promise.resolve();
    yield item;
  }
}
