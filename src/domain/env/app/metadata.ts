import { z } from 'zod';
import { BerthError, messageOf, type FieldViolation } from '../../errors.js';
import { schemaNameRule } from '../../database/names.js';
import { environmentSchema } from './environment.js';
import { pathRule } from './files.js';
import { isWellFormed } from './text.js';

/** What an app says of itself in `metadata.json` (seed 003). Times in milliseconds. */
export type AppMetadata = z.output<typeof metadataSchema>;

export const METADATA_FILE = 'metadata.json';
/** The rule that a key breaks which nothing is known by. */
export const UNKNOWN_KEY = 'is not known';
export const MAX_METADATA_BYTES = 256 * 1024;
const MAX_VOLUMES = 8;
const MIB = 1024 * 1024;

/** No NUL and no other control character but tab and line end: these go into a process's arguments. */
const ARGUMENT = /^[^\u0000-\u0008\u000b-\u001f\u007f]*$/;

const argument = z
  .string({ error: 'must be text' })
  .max(4096, 'must be at most 4096 characters')
  .regex(ARGUMENT, 'must not have control characters')
  .refine((text) => isWellFormed(text), 'must be well-formed Unicode');

const filledArgument = argument.refine((text) => text.trim() !== '', 'must not be empty');

const argv = z
  .array(argument)
  .min(1, 'must not be empty')
  .max(64, 'must have at most 64 parts')
  .refine((parts) => parts[0] !== '', 'must name a program first');

function whole(min: number, max: number) {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z.number({ error: rule }).int(rule).min(min, rule).max(max, rule);
}

const printable = (max: number) =>
  z
    .string({ error: 'must be text' })
    .max(max, `must be at most ${max} characters`)
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'must not have control characters');

const absolutePath = z
  .string({ error: 'must be text' })
  .max(255, 'must be at most 255 characters')
  .regex(
    /^(\/(?!\.{1,2}(\/|$))[\x21-\x2e\x30-\x39\x3b-\x7e]+)+$/,
    'must be an absolute path in the container without "." and ".." parts, blanks and colons',
  );

const healthCheck = z.strictObject(
  {
    test: z
      .union([filledArgument, argv], {
        error: 'must be a command line or a list like ["CMD", "node", "check.js"]',
      })
      .refine(
        (test) => typeof test === 'string' || ['CMD', 'CMD-SHELL', 'NONE'].includes(test[0] ?? ''),
        'as a list must start with "CMD", "CMD-SHELL" or "NONE"',
      )
      .transform((test) => (typeof test === 'string' ? ['CMD-SHELL', test] : test))
      .optional(),
    intervalMs: whole(100, 3_600_000).optional(),
    timeoutMs: whole(100, 600_000).optional(),
    startPeriodMs: whole(0, 3_600_000).optional(),
    retries: whole(1, 100).optional(),
  },
  { error: 'must be an object' },
);

const volume = z.strictObject(
  {
    containerPath: absolutePath,
    name: z
      .string({ error: 'must be text' })
      .regex(
        /^[a-z0-9][a-z0-9_-]{0,30}$/,
        'must be 1 to 31 characters of a-z 0-9 _ -, starting with a letter or digit',
      )
      .optional(),
    hostPath: z
      .string({ error: 'must be text' })
      .superRefine((path, context) => {
        const rule = pathRule(path);
        if (rule) context.addIssue({ code: 'custom', message: `${rule}: it is a folder of the app` });
      })
      .optional(),
  },
  { error: 'must be an object with containerPath' },
);

const imageReference = z
  .string({ error: 'must be text' })
  .max(255, 'must be at most 255 characters')
  .regex(/^[A-Za-z0-9]+(?:[._:/@-]+[A-Za-z0-9]+)*$/, 'must be an image reference like "node:20-slim"');

const database = z.strictObject(
  {
    provider: z
      .string({ error: 'must be text' })
      .regex(/^[a-z][a-z0-9-]{0,30}$/, 'must be the name of a provider, e.g. "shared"'),
    name: z
      .string({ error: 'must be text' })
      .superRefine((name, context) => {
        const rule = schemaNameRule(name);
        if (rule) context.addIssue({ code: 'custom', message: rule });
      })
      .optional(),
    initSql: z
      .string({ error: 'must be text' })
      .superRefine((path, context) => {
        const rule = pathRule(path);
        if (rule) context.addIssue({ code: 'custom', message: `${rule}: it is a file of the app` });
      })
      .optional(),
    image: imageReference.optional(),
    maxConnections: whole(1, 1000).optional(),
  },
  { error: 'must be an object with provider' },
);

const limits = z.strictObject(
  {
    memoryBytes: whole(16 * MIB, 64 * 1024 * MIB).optional(),
    cpus: z
      .number({ error: 'must be a number from 0.01 to 64' })
      .min(0.01, 'must be a number from 0.01 to 64')
      .max(64, 'must be a number from 0.01 to 64')
      .optional(),
    maxProcesses: whole(1, 4096).optional(),
  },
  { error: 'must be an object' },
);

/** What `metadata.json` may have; tests go through its keys. */
export const metadataSchema = z.strictObject(
  {
    name: printable(128).optional(),
    description: printable(1024).optional(),
    runtimeType: z
      .string({ error: 'must name a runtime, e.g. "node"' })
      .min(1, 'must name a runtime, e.g. "node"')
      .max(64, 'must be at most 64 characters'),
    baseImage: imageReference.optional(),
    containerPort: whole(1, 65_535).optional(),
    startCommand: z
      .union([filledArgument, argv], { error: 'must be a command line or a list of arguments, not empty' })
      .optional(),
    workingDir: absolutePath.optional(),
    environment: environmentSchema.optional(),
    database: database.optional(),
    volumes: z
      .array(volume, { error: 'must be a list' })
      .superRefine((volumes, context) => {
        // Not `max`: that would measure a text, too.
        if (volumes.length > MAX_VOLUMES) {
          context.addIssue({ code: 'custom', message: `must have at most ${MAX_VOLUMES} volumes` });
        }
        for (const key of ['name', 'containerPath'] as const) {
          volumes.forEach((one, index) => {
            const first = volumes.findIndex((other) => other[key] === one[key]);
            if (one[key] !== undefined && first < index) {
              context.addIssue({ code: 'custom', path: [index, key], message: 'must be unique' });
            }
          });
        }
      })
      .default([]),
    healthCheck: healthCheck.optional(),
    readyPath: z
      .string({ error: 'must be text' })
      .regex(/^\/[\x21-\x7e]{0,1023}$/, 'must start with "/" and be at most 1024 printable ASCII characters')
      .optional(),
    readyTimeoutMs: whole(100, 600_000).optional(),
    stopGraceMs: whole(0, 300_000).optional(),
    tty: z.boolean({ error: 'must be true or false' }).optional(),
    limits: limits.optional(),
  },
  { error: 'must be a JSON object' },
);

/** @throws APP_INVALID with a violation `metadata.json/<key>` for each rule that is broken */
export function parseMetadata(text: string): AppMetadata {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw appInvalid({ field: METADATA_FILE, rule: `is not JSON: ${messageOf(error)}` });
  }
  return checkMetadata(json);
}

/** As `parseMetadata`, for metadata that is an object already. @throws APP_INVALID */
export function checkMetadata(json: unknown): AppMetadata {
  const result = metadataSchema.safeParse(json);
  if (result.success) return result.data;
  throw appInvalid(...result.error.issues.flatMap(violationsOf));
}

export function appInvalid(...violations: FieldViolation[]): BerthError {
  const text = violations.map((violation) => `${violation.field} ${violation.rule}`).join('; ');
  return new BerthError('APP_INVALID', `the app cannot be deployed: ${text}`, { violations });
}

function violationsOf(issue: z.core.$ZodIssue): FieldViolation[] {
  const field = [METADATA_FILE, ...issue.path.map(String)].join('/');
  if (issue.code !== 'unrecognized_keys') return [{ field, rule: issue.message }];
  return issue.keys.map((key) => ({ field: `${field}/${key.slice(0, 100)}`, rule: UNKNOWN_KEY }));
}
