import { z } from 'zod';
import { parseDuration } from './duration.js';

/**
 * The part of the compose file format that Berth applies: every key and form here, and nothing else. What keeps an app
 * in its place (limits, dropped capabilities, no new privileges, log rotation) is not optional.
 */
const text = z.string({ error: 'must be text' }).max(131_072, 'is too long');
const texts = z.array(text, { error: 'must be a list of texts' }).max(256, 'is too long');
const flag = z.boolean({ error: 'must be true or false' });
const textMap = z.record(z.string(), text, { error: 'must be a map of texts' });

const duration = text.transform((value, context) => {
  const ms = parseDuration(value);
  if (ms !== undefined) return ms;
  context.addIssue({ code: 'custom', message: 'must be a duration like "10s"' });
  return z.NEVER;
});

const SIZE_UNITS: Record<string, number> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const size = text.transform((value, context) => {
  const match = /^(\d{1,15})([bkmg])b?$/i.exec(value);
  if (match) return Number(match[1]) * (SIZE_UNITS[(match[2] ?? '').toLowerCase()] ?? 1);
  context.addIssue({ code: 'custom', message: 'must be a size like "512m"' });
  return z.NEVER;
});

const port = text.transform((value, context) => {
  const match = /^(\[[0-9a-fA-F:]+\]|[0-9.]+):(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/.exec(value);
  const hostPort = Number(match?.[2]);
  const containerPort = Number(match?.[3]);
  if (match && inPortRange(hostPort) && inPortRange(containerPort)) {
    const hostIp = (match[1] ?? '').replace(/^\[|\]$/g, '');
    return {
      hostIp,
      hostPort,
      containerPort,
      protocol: match[4] === 'udp' ? ('udp' as const) : ('tcp' as const),
    };
  }
  context.addIssue({ code: 'custom', message: 'must be "address:host port:container port"' });
  return z.NEVER;
});

function inPortRange(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65_535;
}

const mount = z.strictObject({
  type: z.enum(['bind', 'volume'], { error: 'must be bind or volume' }),
  source: text,
  target: text.startsWith('/', 'must be absolute'),
  read_only: flag.default(false),
});

/** What images need that give up root by themselves; everything else stays dropped. */
const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID',
] as const;

const service = z.strictObject({
  image: text,
  container_name: text,
  command: texts.optional(),
  entrypoint: texts.optional(),
  working_dir: text.optional(),
  user: text.optional(),
  environment: textMap.default({}),
  ports: z.array(port).max(16, 'has too many').default([]),
  volumes: z.array(mount).max(32, 'has too many').default([]),
  networks: z.record(z.string(), z.strictObject({ aliases: texts.default([]) }), {
    error: 'must be a map of networks',
  }),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({
        condition: z.enum(['service_started', 'service_healthy'], {
          error: 'must be service_started or service_healthy',
        }),
      }),
    )
    .default({}),
  healthcheck: z
    .strictObject({
      test: texts.min(1, 'must not be empty'),
      interval: duration,
      timeout: duration,
      start_period: duration.optional(),
      retries: z.number({ error: 'must be a whole number' }).int('must be a whole number').min(1).max(1000),
    })
    .optional(),
  tty: flag.default(false),
  stdin_open: flag.default(false),
  read_only: flag.default(false),
  init: flag.optional(),
  tmpfs: texts.default([]),
  mem_limit: size,
  memswap_limit: size,
  cpus: z.number({ error: 'must be a number' }).positive('must be more than 0'),
  pids_limit: z
    .number({ error: 'must be a whole number' })
    .int('must be a whole number')
    .positive('must be more than 0'),
  cap_drop: z.array(z.literal('ALL', { error: 'must be ALL' })).length(1, 'must be ["ALL"]'),
  cap_add: z.array(z.enum(CAPABILITIES, { error: `must be one of ${CAPABILITIES.join(', ')}` })).default([]),
  security_opt: z
    .array(z.literal('no-new-privileges:true', { error: 'must be no-new-privileges:true' }))
    .length(1, 'must be ["no-new-privileges:true"]'),
  restart: z.enum(['no', 'always', 'unless-stopped', 'on-failure'], {
    error: 'must be no, always, unless-stopped or on-failure',
  }),
  stop_grace_period: duration,
  logging: z.strictObject({
    driver: z.enum(['json-file', 'local'], { error: 'must be json-file or local, which rotate' }),
    options: z.strictObject({ 'max-size': text, 'max-file': text }),
  }),
  labels: textMap.default({}),
});

const network = z.strictObject({
  name: text,
  external: flag.default(false),
  internal: flag.default(false),
  ipam: z
    .strictObject({
      config: z
        .array(
          z.strictObject({ subnet: text.regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, 'must be an IPv4 range') }),
        )
        .length(1, 'must have one subnet'),
    })
    .optional(),
  labels: textMap.default({}),
});

const volume = z.strictObject({ name: text, external: flag.default(false), labels: textMap.default({}) });

const keyed = <T extends z.ZodType>(value: T) =>
  z.record(z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must have a name of a-z 0-9 _ -'), value, {
    error: 'must be a map',
  });

export const composeSubset = z.strictObject(
  {
    name: text,
    services: keyed(service),
    networks: keyed(network).default({}),
    volumes: keyed(volume).default({}),
  },
  { error: 'must be a map' },
);

export type ParsedCompose = z.output<typeof composeSubset>;
export type ParsedService = ParsedCompose['services'][string];
