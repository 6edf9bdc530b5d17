import { InvalidArgumentError } from 'commander';
import { parseDuration } from './output/duration.js';
import { parseSize } from './output/size.js';

/** Parsers of option values, for commander. */
export function durationMs(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms <= 0) {
    throw new InvalidArgumentError(
      'It must be a time such as 500ms, 10s, 2m or 1h; a bare number is seconds.',
    );
  }
  return ms;
}

export function sizeBytes(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes <= 0)
    throw new InvalidArgumentError('It must be a size such as 64m, 512MiB or 1g.');
  return bytes;
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** A moment: an ISO time, or a time span before now. */
export function moment(text: string): Date {
  const ago = parseDuration(text);
  const at = ago === undefined ? Date.parse(text) : Date.now() - ago;
  if (Number.isNaN(at))
    throw new InvalidArgumentError(
      'It must be a time such as 2026-01-31T10:00:00Z, or 10m for ten minutes ago.',
    );
  return new Date(at);
}

/** CPUs as a fraction. */
export function cpuCount(text: string): number {
  const cpus = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || cpus <= 0)
    throw new InvalidArgumentError('It must be a number such as 0.5 or 2.');
  return cpus;
}

export function collected(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** `NAME=value`, or `NAME` to take it from this environment; later ones win. */
export function variables(assignments: readonly string[], env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    assignments.flatMap((assignment): [string, string][] => {
      const at = assignment.indexOf('=');
      if (at >= 0) return [[assignment.slice(0, at), assignment.slice(at + 1)]];
      const value = env[assignment];
      return value === undefined ? [] : [[assignment, value]];
    }),
  );
}

/** `name=value`; a name alone has an empty value. */
export function labelsOf(given: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    given.map((label) => {
      const at = label.indexOf('=');
      return at < 0 ? [label, ''] : [label.slice(0, at), label.slice(at + 1)];
    }),
  );
}
