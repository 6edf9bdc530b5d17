import type { ActiveOperations } from './active-operations.js';
import { DeployPreparation } from './deploy-preparation.js';
import { lookAt } from './env-look.js';
import type { EnvServices } from './env-services.js';
import type { OperationHandle } from './event-log.js';
import { requestedLife } from './life/settings.js';
import { attempt, type Attempt, type OperationAttempts } from './operation-attempts.js';
import type { OperationStart } from './operation-start.js';
import { planDeploy, type Plan } from './plan.js';
import type { Preflight } from './preflight.js';
import type { Recovery } from './recovery.js';
import { checkDeployRequest, digestOfRequest, keyText, type DeployRequest } from './requests.js';
import { isAtRest, stateRefuses } from './state-refusal.js';
import type { Deployment } from './steps/context.js';

/** Begins deployments: of a new env, or whatever brings the one that there is to what is asked for. */
export class Deployments {
  readonly #preparation: DeployPreparation;

  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
    private readonly attempts: OperationAttempts,
    private readonly start: OperationStart,
    private readonly recovery: Recovery,
    private readonly preflight: Preflight,
  ) {
    this.#preparation = new DeployPreparation(services);
  }

  /** See EnvOperations.deploy. */
  async deploy(request: DeployRequest, signal?: AbortSignal): Promise<OperationHandle> {
    const checked = checkDeployRequest(request);
    const digest = digestOfRequest('deploy', checked);
    return await this.attempts.begin(keyText(checked), checked, digest, signal, () =>
      this.#try(checked, digest, signal),
    );
  }

  async #try(request: DeployRequest, requestDigest: string, signal?: AbortSignal): Promise<Attempt> {
    const deployment = await this.#preparation.prepare(request);
    const { engine, ports, store } = this.services;
    const present = await store.findLive(request);
    const facts = {
      appDigest: deployment.digest,
      source: deployment.app.source.kind,
      hasDatabase: deployment.database !== undefined,
      force: request.force ?? false,
    };
    if (!present) {
      const plan = timed(planDeploy({ ...facts, present: undefined }), request);
      return await this.#withPlace(plan, deployment, signal, (launched) =>
        this.start.create(request, requestDigest, plan, deployment, launched),
      );
    }
    const active = this.active.find(present.id);
    if (active?.isRetry) return { waitFor: active.settled };
    if (active) {
      const { plan, context, signal: cancelled } = active.run;
      const same =
        plan.kind === 'deploy' && context.deployment?.digest === deployment.digest && !cancelled.aborted;
      return same ? { handle: active.handle, joined: true } : { waitFor: active.settled };
    }
    const resumed = await this.recovery.resume(present);
    if (resumed) return resumed;
    if (!isAtRest(present)) throw stateRefuses('deploy', present, 'another berthd is at it');
    const plan = timed(
      planDeploy({ ...facts, present: await lookAt(present, engine, ports, signal) }),
      request,
    );
    const life = requestedLife(request, this.services.config);
    return await this.#withPlace(plan, deployment, signal, (launched) =>
      this.start.begin(present, request, requestDigest, { ...plan, life }, { deployment, launched }),
    );
  }

  /** Begins where there is a place, at least in the queue, and the host has what it takes. @throws QUEUE_FULL, ENV_CAPACITY */
  async #withPlace(
    plan: Plan,
    deployment: Deployment,
    signal: AbortSignal | undefined,
    begin: (launched: () => void) => Promise<OperationHandle | undefined>,
  ): Promise<Attempt> {
    const release = plan.steps.length > 0 ? this.active.reserve() : () => {};
    try {
      await this.preflight.check(plan, deployment, signal);
      return attempt(await begin(release));
    } finally {
      release();
    }
  }
}

function timed(plan: Plan, { queueTimeoutMs = 0 }: DeployRequest): Plan {
  return queueTimeoutMs === 0 ? plan : { ...plan, queueTimeoutMs };
}
