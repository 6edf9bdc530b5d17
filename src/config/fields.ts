import { z } from 'zod';

/**
 * Leaf types of the configuration. Each accepts what YAML gives (numbers, booleans, lists) and what an environment
 * variable gives (text), and carries its meaning, with unit, for the README's table.
 */
export function int(fallback: number, range: { min: number; max: number }, meaning: string) {
  const number = z
    .string()
    .trim()
    .regex(/^-?\d+$/)
    .transform(Number);
  return z
    .union([z.number(), number], { error: 'must be a whole number' })
    .pipe(z.number().int().min(range.min).max(range.max))
    .default(fallback)
    .describe(meaning);
}

export function text(fallback: string, meaning: string) {
  return z.string().trim().default(fallback).describe(meaning);
}

/** A name that is safe as a part of paths, labels and cgroups. */
export function name(fallback: string, meaning: string) {
  return z
    .string()
    .trim()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/, {
      error: 'must be 1 to 100 letters, digits, "_", "." and "-", and begin with a letter or digit',
    })
    .default(fallback)
    .describe(meaning);
}

export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  fallback: T[number],
  meaning: string,
) {
  return z
    .enum(values)
    .default(fallback as never)
    .describe(`${meaning} One of: ${values.join(', ')}.`);
}

/** `host:port`, IPv6 hosts in brackets; port 0 means any free one. */
export function address(fallback: string, meaning: string) {
  return z
    .string()
    .trim()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'must be host:port')
    .default(fallback)
    .describe(meaning);
}

export function cidr(fallback: string, meaning: string) {
  return z
    .string()
    .trim()
    .regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, 'must be an IPv4 range like 10.213.0.0/17')
    .default(fallback)
    .describe(meaning);
}
