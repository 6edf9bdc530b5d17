export const FULL_VARIABLE: 'BERTH_TEST_FULL';
export function isFull(): boolean;
export function extent(): string;
export function chosen<T>(
  what: string,
  all: readonly T[],
  nameOf: (item: T) => string,
  sample: readonly string[],
  print?: (line: string) => void,
): T[];
export function onlyInFull(
  it: (name: string, run: () => Promise<void>, timeoutMs?: number) => void,
  name: string,
  run: () => Promise<void>,
  timeoutMs?: number,
): void;
