import { createHash } from 'node:crypto';
import type { ParsedService } from './subset.js';

/** The release of Docker Compose whose hash this is. Of 2.x others may count otherwise; the engine asks the host's own. */
export const COMPOSE_VERSION = '2.40.3';

/**
 * Docker Compose's own hash of a service (`docker compose config --hash`): by it `docker compose up` tells whether a
 * container is as its file says, and so does Berth. It is the sha256 of the service as Go's encoder writes it: keys in
 * compose's order, what is empty left out, maps in the order of their keys. `depends_on` is not part of it.
 */
export function configHash(service: ParsedService): string {
  return createHash('sha256').update(asCompose(service)).digest('hex');
}

function asCompose(service: ParsedService): string {
  const { healthcheck } = service;
  return object([
    ['cap_add', filled(service.cap_add)],
    ['cap_drop', filled(service.cap_drop)],
    ['cpus', float32(service.cpus)],
    ['command', list(service.command)],
    ['container_name', text(service.container_name)],
    ['entrypoint', list(service.entrypoint)],
    ['environment', map(service.environment, text)],
    [
      'healthcheck',
      healthcheck &&
        object([
          ['test', filled(healthcheck.test)],
          ['timeout', duration(healthcheck.timeout)],
          ['interval', duration(healthcheck.interval)],
          ['retries', String(healthcheck.retries)],
          [
            'start_period',
            healthcheck.start_period === undefined ? undefined : duration(healthcheck.start_period),
          ],
        ]),
    ],
    ['image', text(service.image)],
    ['init', service.init === undefined ? undefined : String(service.init)],
    ['labels', map(service.labels, text)],
    [
      'logging',
      object([
        ['driver', text(service.logging.driver)],
        ['options', map(service.logging.options, text)],
      ]),
    ],
    ['mem_limit', text(String(service.mem_limit))],
    ['memswap_limit', text(String(service.memswap_limit))],
    ['networks', map(service.networks, ({ aliases }) => object([['aliases', filled(aliases)]]))],
    ['pids_limit', String(service.pids_limit)],
    ['ports', filled(service.ports, port)],
    ['read_only', flag(service.read_only)],
    ['restart', text(service.restart)],
    ['security_opt', filled(service.security_opt)],
    ['stdin_open', flag(service.stdin_open)],
    ['stop_grace_period', duration(service.stop_grace_period)],
    ['tmpfs', filled(service.tmpfs)],
    ['tty', flag(service.tty)],
    ['user', service.user ? text(service.user) : undefined],
    ['volumes', filled(service.volumes, mount)],
    ['working_dir', service.working_dir ? text(service.working_dir) : undefined],
  ]);
}

function port({ hostIp, hostPort, containerPort, protocol }: ParsedService['ports'][number]): string {
  return object([
    ['mode', text('ingress')],
    ['host_ip', text(hostIp)],
    ['target', String(containerPort)],
    ['published', text(String(hostPort))],
    ['protocol', text(protocol)],
  ]);
}

function mount({ type, source, target, read_only }: ParsedService['volumes'][number]): string {
  return object([
    ['type', text(type)],
    ['source', text(source)],
    ['target', text(target)],
    ['read_only', flag(read_only)],
  ]);
}

function object(members: [string, string | undefined][]): string {
  const present = members.filter(([, value]) => value !== undefined);
  return `{${present.map(([key, value]) => `${text(key)}:${value}`).join(',')}}`;
}

/** Go sorts by bytes, and JavaScript's own objects would move numbers to the front. */
function map<Value>(values: Record<string, Value>, encode: (value: Value) => string): string | undefined {
  const entries = Object.entries(values).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return entries.length === 0 ? undefined : object(entries.map(([key, value]) => [key, encode(value)]));
}

function list<Item>(
  items: readonly Item[] | undefined,
  encode = (item: Item): string => text(String(item)),
): string {
  return items === undefined ? 'null' : `[${items.map(encode).join(',')}]`;
}

function filled<Item>(items: readonly Item[], encode?: (item: Item) => string): string | undefined {
  return items.length === 0 ? undefined : list(items, encode);
}

function flag(value: boolean): string | undefined {
  return value ? 'true' : undefined;
}

/** Go writes what HTML might mind, and the two line ends that are none in JSON, as their numbers. */
function text(value: string): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The shortest number that a 32-bit float cannot tell from this one. */
function float32(value: number): string {
  for (let digits = 1; ; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return String(short);
  }
}

const NANOSECONDS_A_MS = 1_000_000n;

/** Go's way to write a duration in JSON: "1m30s", "1.5s", "500ms". */
function duration(ms: number): string {
  const nanoseconds = BigInt(Math.round(ms * 1e6));
  if (nanoseconds === 0n) return text('0s');
  if (nanoseconds < NANOSECONDS_A_MS) return text(`${Number(nanoseconds) / 1e3}\u00b5s`);
  if (nanoseconds < 1_000n * NANOSECONDS_A_MS) return text(`${Number(nanoseconds) / 1e6}ms`);
  const minutes = nanoseconds / (60_000n * NANOSECONDS_A_MS);
  const seconds = Number(nanoseconds % (60_000n * NANOSECONDS_A_MS)) / 1e9;
  const hours = minutes / 60n;
  const parts = [hours > 0n ? `${hours}h` : '', minutes > 0n ? `${minutes % 60n}m` : '', `${seconds}s`];
  return text(parts.join(''));
}
