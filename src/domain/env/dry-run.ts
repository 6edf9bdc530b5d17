import { join } from 'node:path';
import type { PreparedDatabase } from '../database/provider.js';
import { isBerthError } from '../errors.js';
import type { Finding } from '../finding.js';
import type { ActiveOperations } from './active-operations.js';
import { readCompose } from './compose/check.js';
import { findingsOf, gather } from './catalogue/findings.js';
import { DeployPreparation } from './deploy-preparation.js';
import { lookAt } from './env-look.js';
import type { EnvServices } from './env-services.js';
import type { Env } from './model.js';
import { planDeploy, type Decision, type Plan } from './plan.js';
import { checkDeployRequest, type DeployRequest } from './requests.js';
import { isAtRest } from './state-refusal.js';
import { APP_FOLDER } from './steps/app-steps.js';
import { composeBounds, composePath, composeText, type ComposeEnv } from './steps/compose-file.js';
import type { Deployment } from './steps/context.js';
import { DATABASE_FOLDER } from './steps/database-steps.js';
import { envDirectory } from './steps/directory.js';

/** Id in the compose file of an env that is not there yet: the real one is chosen when it is deployed. */
const NEW_ENV_ID = 'env-000000000000';

const OUTCOMES: Partial<Record<Decision, DryRunResult['outcome']>> = {
  create: 'created',
  return_running: 'unchanged',
  start_stopped: 'started',
  replace: 'replaced',
};

export interface DryRunResult {
  /** Empty where the app could not be read; else there even when it has errors. */
  composeYaml: string;
  findings: Finding[];
  steps: string[];
  /** Whether it would be accepted now. */
  deployable: boolean;
  appDigest: string;
  /** `unknown`: an operation is under way, or Docker is away. */
  outcome: 'unknown' | 'created' | 'unchanged' | 'started' | 'replaced';
}

/**
 * What a deployment would do, by the deployment's own code: the same preparation, plan, template and checks. It reads (rows,
 * containers, the image, free ports) and makes nothing.
 */
export class DryRun {
  readonly #preparation: DeployPreparation;

  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
  ) {
    this.#preparation = new DeployPreparation(services);
  }

  /** @throws INVALID_ARGUMENT, APP_NOT_FOUND, STORE_UNAVAILABLE; what is wrong with the app itself is in the findings */
  async of(asked: DeployRequest, signal: AbortSignal): Promise<DryRunResult> {
    const request = checkDeployRequest(asked);
    const findings: Finding[] = [];
    const result: DryRunResult = {
      composeYaml: '',
      findings,
      steps: [],
      deployable: false,
      appDigest: '',
      outcome: 'unknown',
    };
    const deployment = await gather(findings, () => this.#preparation.prepare(request));
    if (!deployment) return result;
    result.appDigest = deployment.digest;
    const present = await this.services.store.findLive(request);
    const plan = await gather(findings, () => this.#plan(deployment, request, present, findings, signal));
    if (plan) {
      result.steps = plan.steps.map(({ name }) => name);
      result.outcome = OUTCOMES[plan.decision] ?? 'unknown';
    }
    if (plan?.steps.some(({ name }) => name === 'check_image')) {
      await gather(findings, () => this.services.engine.requireImage(deployment.spec.image, signal));
    }
    await this.#render(result, deployment, request, present, signal);
    result.deployable = findings.every(({ severity }) => severity !== 'error');
    return result;
  }

  /** Undefined: what is done depends on how the operation ends that is under way. */
  async #plan(
    deployment: Deployment,
    request: DeployRequest,
    present: Env | undefined,
    findings: Finding[],
    signal: AbortSignal,
  ): Promise<Plan | undefined> {
    const { engine, ports } = this.services;
    if (present && (this.active.find(present.id) || !isAtRest(present))) {
      const message = `${present.id} is ${present.state}: the deployment would join that, or wait for its end`;
      findings.push({ severity: 'warning', rule: 'env.busy', path: '', field: '', message });
      return undefined;
    }
    return planDeploy({
      appDigest: deployment.digest,
      source: deployment.app.source.kind,
      hasDatabase: deployment.database !== undefined,
      force: request.force ?? false,
      present: present && (await lookAt(present, engine, ports, signal)),
    });
  }

  async #render(
    result: DryRunResult,
    deployment: Deployment,
    request: DeployRequest,
    present: Env | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { findings } = result;
    const { config, ports } = this.services;
    const port =
      present?.port ?? (await gather(findings, () => ports.next(new Set(), signal))) ?? config.portFirst;
    const { source } = deployment.app;
    const directory = present?.directory ?? envDirectory(config.basePath, request);
    const env: ComposeEnv = {
      id: present?.id ?? NEW_ENV_ID,
      appDigest: deployment.digest,
      directory,
      appDirectory: source.kind === 'folder' ? source.path : join(directory, APP_FOLDER),
      port,
      restartPolicy: request.restartPolicy ?? 'unless_stopped',
    };
    try {
      const database = await previewDatabase(env, deployment, signal);
      result.composeYaml = composeText(this.services, env, deployment.spec, database);
      readCompose(result.composeYaml, composePath(env), composeBounds(env));
    } catch (error) {
      if (!isBerthError(error)) throw error;
      findings.push(...findingsOf(error));
    }
  }
}

/** What the app's database would add, with nothing made. */
async function previewDatabase(
  { id, directory }: ComposeEnv,
  { app, database }: Deployment,
  signal: AbortSignal,
): Promise<PreparedDatabase | undefined> {
  const request = app.metadata.database;
  if (!database || !request) return undefined;
  return await database.preview({ envId: id, directory: join(directory, DATABASE_FOLDER) }, request, signal);
}
