import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { settingsProblem } from '../domain/pool/settings.js';
import { poolSettings } from './pool-settings.js';
import { configSchema, type Config } from './schema.js';

/** What is wrong with the configuration: one line a key, so that all can be mended at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: string[]) {
    super(
      `the configuration has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
  }
}

/** One key, for the README's table and for `berthd --help`. */
export interface ConfigKey {
  path: string;
  variable: string;
  fallback: string;
  meaning: string;
}

/** Tests only, and so no key: what fails on purpose (src/failpoints). */
export const FAILPOINTS_VARIABLE = 'BERTH_FAILPOINTS';

/** Variables that start with BERTH_ and are read by others than berthd's configuration. */
const OTHER_VARIABLES = new Set(['BERTH_CONFIG', 'BERTH_ADDRESS', 'BERTH_TENANT', FAILPOINTS_VARIABLE]);

type Tree = { [key: string]: Tree | z.ZodType };

/**
 * Reads the configuration: defaults, then the YAML file named by `BERTH_CONFIG`, then `BERTH_*` variables.
 * @throws ConfigError naming every unknown or bad key
 */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  const problems: string[] = [];
  const raw = readFile(environment.BERTH_CONFIG, problems);
  const byVariable = new Map(configKeys().map((key) => [key.variable, key]));
  const source = new Map<string, string>();
  for (const [variable, value] of Object.entries(environment)) {
    if (
      !variable.startsWith('BERTH_') ||
      variable.startsWith('BERTH_TEST_') ||
      OTHER_VARIABLES.has(variable) ||
      value === undefined
    )
      continue;
    const key = byVariable.get(variable);
    if (key === undefined)
      problems.push(`${variable}: no such key${suggestion(variable, [...byVariable.keys()])}`);
    else {
      assign(raw, key.path.split('.'), value);
      source.set(key.path, variable);
    }
  }
  const parsed = configSchema.safeParse(raw);
  for (const issue of parsed.error?.issues ?? []) problems.push(describe(issue, source));
  if (parsed.success) problems.push(...contradictions(parsed.data));
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  return parsed.data;
}

/** Every key in the order of the schema. */
export function configKeys(): ConfigKey[] {
  const keys: ConfigKey[] = [];
  const walk = (tree: Tree, prefix: string[]): void => {
    for (const [name, node] of Object.entries(tree)) {
      const path = [...prefix, name];
      const shape = shapeOf(node as z.ZodType);
      if (shape !== undefined) walk(shape, path);
      else {
        const leaf = node as z.ZodType;
        keys.push({
          path: path.join('.'),
          variable: `BERTH_${path.map((part) => part.replace(/([A-Z])/g, '_$1').toUpperCase()).join('_')}`,
          fallback: String(leaf.parse(undefined)),
          meaning: leaf.description ?? '',
        });
      }
    }
  };
  walk(configSchema.shape as unknown as Tree, []);
  return keys;
}

function shapeOf(node: z.ZodType): Tree | undefined {
  const inner = node instanceof z.ZodPrefault ? (node.unwrap() as z.ZodType) : node;
  return inner instanceof z.ZodObject ? (inner.shape as unknown as Tree) : undefined;
}

function readFile(path: string | undefined, problems: string[]): Record<string, unknown> {
  if (path === undefined || path === '') return {};
  try {
    const value: unknown = parseYaml(readFileSync(path, 'utf8')) ?? {};
    if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
    problems.push(`${path} (BERTH_CONFIG): must be a mapping of keys`);
  } catch (error) {
    problems.push(`${path} (BERTH_CONFIG): ${error instanceof Error ? error.message : String(error)}`);
  }
  return {};
}

function assign(target: Record<string, unknown>, path: string[], value: string): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) target[head] = value;
  else {
    const next = (typeof target[head] === 'object' && target[head] !== null ? target[head] : {}) as Record<
      string,
      unknown
    >;
    target[head] = next;
    assign(next, rest, value);
  }
}

function describe(issue: z.core.$ZodIssue, source: Map<string, string>): string {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${path === '' ? key : `${path}.${key}`}: no such key`).join('; ');
  const name = source.get(path);
  return `${name ?? path}: ${issue.message}`;
}

/** Keys that are each fine and cannot hold together. */
function contradictions(config: Config): string[] {
  const found: string[] = [];
  if (config.env.portFirst > config.env.portLast) found.push('env.portFirst: must not be above env.portLast');
  if (config.sandbox.memoryBytes > config.sandbox.maxMemoryBytes)
    found.push('sandbox.memoryBytes: must not be above sandbox.maxMemoryBytes');
  if (config.sandbox.cpuMillis > config.sandbox.maxCpuMillis)
    found.push('sandbox.cpuMillis: must not be above sandbox.maxCpuMillis');
  if (config.sandbox.processes > config.sandbox.maxProcesses)
    found.push('sandbox.processes: must not be above sandbox.maxProcesses');
  if (config.sandbox.tmpfsBytes > config.sandbox.maxTmpfsBytes)
    found.push('sandbox.tmpfsBytes: must not be above sandbox.maxTmpfsBytes');
  if (config.sandbox.wallMs > config.sandbox.maxWallMs)
    found.push('sandbox.wallMs: must not be above sandbox.maxWallMs');
  if (config.sandbox.outputBytes > config.sandbox.maxOutputBytes)
    found.push('sandbox.outputBytes: must not be above sandbox.maxOutputBytes');
  if (config.database.url !== '' && !/^mysql:\/\//.test(config.database.url))
    found.push('database.url: must be mysql://user:password@host:port/database');
  const problem = settingsProblem(poolSettings(config.pool));
  if (problem !== undefined) found.push(`pool.${problem.key}: ${problem.rule}`);
  return found;
}

function suggestion(name: string, known: string[]): string {
  const near = known.filter(
    (key) => key.includes(name.slice('BERTH_'.length)) || name.includes(key) || distance(key, name) <= 3,
  );
  return near.length === 0 ? '' : ` (meant ${near.slice(0, 3).join(' or ')}?)`;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
