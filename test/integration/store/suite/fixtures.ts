import { randomBytes } from 'node:crypto';
import type { Env, EnvEventBody, EnvKey, Operation } from '../../../../src/domain/env/model.js';
import { UNTOUCHED_LIFE } from '../../../support/env/untouched-life.js';
import type { Store } from '../../../../src/store/open-store.js';

/** A database of one test's own. */
export interface TestDatabase extends AsyncDisposable {
  /** Opens another store on it; the test closes it. */
  open(): Promise<Store>;
}

export type NewDatabase = () => Promise<TestDatabase>;

/** What the suite is run with. */
export interface Subject {
  newDatabase: NewDatabase;
}

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

export const KEY: EnvKey = { tenant: 'default', userId: 'student-1', systemId: 'lab', appId: 'shop' };

export function anEnv(change: Partial<Env> = {}): Env {
  const id = `env-${hex(6)}`;
  return {
    id,
    ...KEY,
    state: 'deploying',
    stateReason: '',
    appDigest: 'a'.repeat(64),
    runtime: 'node',
    port: null,
    url: '',
    directory: `/envs/${id}`,
    appDirectory: '/apps/shop',
    containerIds: [],
    createdAt: 1_700_000_000_000,
    updatedAt: 1_700_000_000_000,
    ...UNTOUCHED_LIFE,
    ...change,
  };
}

export function anOperation(env: Env, change: Partial<Operation> = {}): Operation {
  return {
    id: `op-${hex(8)}`,
    envId: env.id,
    tenant: env.tenant,
    kind: 'deploy',
    state: 'running',
    requestId: '',
    requestDigest: '',
    startedAt: 1_700_000_000_000,
    endedAt: null,
    error: null,
    input: {},
    ...change,
  };
}

export const STARTED: EnvEventBody = {
  type: 'operation_started',
  kind: 'deploy',
  plan: ['port', 'directory'],
  recovered: false,
};

export function stepStarted(step: string): EnvEventBody {
  return { type: 'step_started', step, ordinal: 0, total: 1 };
}

/** An env that was claimed, with its deploy operation. */
export async function claimed(
  store: Store,
  change: Partial<Env> = {},
): Promise<{ env: Env; operation: Operation }> {
  const env = anEnv(change);
  const operation = anOperation(env);
  const answer = await store.envs.claim(env, operation, [STARTED]);
  if ('conflict' in answer) throw new Error(`the key is held by ${answer.conflict.id}`);
  return { env: answer.env, operation };
}
