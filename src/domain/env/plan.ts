import type { RequestedLife } from './life/settings.js';
import type { EnvState, OperationKind } from './model.js';

/** What a step does when it runs; its executor is in `steps/run.ts`. */
export type StepName =
  | 'check_image'
  | 'read_metadata'
  | 'remove_previous'
  | 'claim_port'
  | 'create_directory'
  | 'copy_app'
  | 'prepare_database'
  | 'render_compose'
  | 'create_networks'
  | 'create_containers'
  | 'start_containers'
  | 'wait_ready'
  | 'verify'
  | 'stop_containers'
  | 'remove_containers'
  | 'remove_database'
  | 'reset_database'
  | 'remove_directory'
  | 'release_port'
  | 'mark_running'
  | 'mark_stopped'
  | 'mark_destroyed';

/** What takes a step back; its executor is in `steps/undo.ts`. `none`: the step changed nothing outside the row. */
export type UndoName =
  | 'none'
  | 'release_port'
  | 'remove_directory'
  | 'remove_app'
  | 'remove_database'
  | 'abandon_database'
  | 'remove_networks'
  | 'remove_networks_and_volumes'
  | 'remove_containers'
  | 'stop_containers';

export interface PlanStep {
  name: StepName;
  undo: UndoName;
}

/** What is done with the env that there is, or is not. */
export type Decision =
  | 'create'
  | 'return_running'
  | 'start_stopped'
  | 'replace'
  | 'stop'
  | 'start'
  | 'reset'
  | 'destroy'
  | 'unchanged';

/** Steps in order; committed with the operation, so that recovery runs what was planned, not what would be planned now. */
export interface Plan {
  kind: OperationKind;
  decision: Decision;
  steps: PlanStep[];
  /** State of the env while the plan runs, when it succeeded, and when it failed and was undone. */
  states: { during: EnvState; success: EnvState; failure: EnvState };
  /**
   * With `replace`: a failure before this step began leaves the env as it was (`untouched`), since the old containers
   * still run.
   */
  pointOfNoReturn: { step: StepName; untouched: EnvState } | undefined;
  /** What a boot does with the operation when it was cut off. */
  onCrash: 'undo' | 'finish';
  /** Time the app has to answer, of the request; absent: as at its deployment. */
  readyTimeoutMs?: number;
  /** Why, for people; becomes the reason of the state it ends in. Absent: nothing to say. */
  reason?: string;
  /** Time it may wait for a place, of the request; absent: as configured. */
  queueTimeoutMs?: number;
  /** What a deployment asks for of the life of an env that is there; the env has it from its success on, or once replaced. */
  life?: RequestedLife;
  /** berthd began it by itself: nobody waits for how it ends, and a stop is no use of the env. */
  byItself?: boolean;
}

/** The env as the planner sees it: its row, and a look at its containers. */
export interface PresentEnv {
  state: EnvState;
  appDigest: string;
  /** `running`: all its containers run; `stopped`: they are there; `missing`: at least one is gone. */
  containers: 'running' | 'stopped' | 'missing';
  /** Whether its port could be bound now; matters only for a stopped env. */
  portFree: boolean;
}

export interface DeployFacts {
  appDigest: string;
  /** Files of the request, or a folder that is mounted as it is. */
  source: 'files' | 'folder';
  hasDatabase: boolean;
  /** Replace even what runs the same content. */
  force: boolean;
  /** Undefined: no live env has this user, system and app. */
  present: PresentEnv | undefined;
}

/**
 * What a deployment does (seed 003, step 1): an env that runs the same content is returned as it is, a stopped one is
 * started, and one that is broken, incomplete, or of other content is replaced under its own id.
 * @param facts.present must be at rest: `running`, `stopped` or `broken`
 */
export function planDeploy(facts: DeployFacts): Plan {
  const { present } = facts;
  if (!present) return createPlan(facts);
  const same = present.appDigest === facts.appDigest && !facts.force;
  if (same && present.state === 'running' && present.containers === 'running')
    return unchangedPlan('deploy', 'running');
  if (same && present.state === 'stopped' && present.containers !== 'missing' && present.portFree) {
    return { ...startPlan(), kind: 'deploy', decision: 'start_stopped' };
  }
  return replacePlan(facts, present.state);
}

function createPlan(facts: DeployFacts): Plan {
  return {
    kind: 'deploy',
    decision: 'create',
    steps: [
      { name: 'check_image', undo: 'none' },
      ...buildSteps(facts, { networks: 'remove_networks_and_volumes', database: 'remove_database' }),
    ],
    states: { during: 'deploying', success: 'running', failure: 'failed' },
    pointOfNoReturn: undefined,
    onCrash: 'undo',
  };
}

/**
 * The image is looked for before anything of the old env is touched. Named volumes and a loaded
 * database are kept, over a success and over a failure: what the app wrote belongs to its user. So a failed replacement
 * leaves a `broken` env that holds these and nothing else; the next deployment takes them over, a destroy removes them.
 */
function replacePlan(facts: DeployFacts, previous: EnvState): Plan {
  return {
    kind: 'deploy',
    decision: 'replace',
    steps: [
      { name: 'check_image', undo: 'none' },
      { name: 'remove_previous', undo: 'none' },
      ...buildSteps(facts, { networks: 'remove_networks', database: 'abandon_database' }),
    ],
    states: { during: 'deploying', success: 'running', failure: 'broken' },
    pointOfNoReturn: { step: 'remove_previous', untouched: previous },
    onCrash: 'undo',
  };
}

function buildSteps(facts: DeployFacts, undo: { networks: UndoName; database: UndoName }): PlanStep[] {
  return [
    { name: 'claim_port', undo: 'release_port' },
    { name: 'create_directory', undo: 'remove_directory' },
    facts.source === 'files'
      ? { name: 'copy_app', undo: 'remove_app' }
      : { name: 'read_metadata', undo: 'none' },
    ...(facts.hasDatabase ? [{ name: 'prepare_database', undo: undo.database } as const] : []),
    // The file goes with its directory.
    { name: 'render_compose', undo: 'none' },
    { name: 'create_networks', undo: undo.networks },
    { name: 'create_containers', undo: 'remove_containers' },
    // Removing a container ends it too.
    { name: 'start_containers', undo: 'none' },
    { name: 'wait_ready', undo: 'none' },
    { name: 'verify', undo: 'none' },
    { name: 'mark_running', undo: 'none' },
  ];
}

/** Starts what is there; a failure stops it again. */
export function startPlan(): Plan {
  return {
    kind: 'start',
    decision: 'start',
    steps: [
      { name: 'start_containers', undo: 'stop_containers' },
      { name: 'wait_ready', undo: 'none' },
      { name: 'verify', undo: 'none' },
      { name: 'mark_running', undo: 'none' },
    ],
    states: { during: 'starting', success: 'running', failure: 'stopped' },
    pointOfNoReturn: undefined,
    onCrash: 'finish',
  };
}

/** Stops and keeps containers and data. A stop that fails leaves the env as what it was: what had run runs again. */
export function stopPlan(): Plan {
  return {
    kind: 'stop',
    decision: 'stop',
    steps: [
      { name: 'stop_containers', undo: 'none' },
      { name: 'mark_stopped', undo: 'none' },
    ],
    states: { during: 'stopping', success: 'stopped', failure: 'running' },
    pointOfNoReturn: undefined,
    onCrash: 'finish',
  };
}

/**
 * Containers anew and data dropped, also where containers are gone. Networks stay, since a shared database is connected to
 * them. From the first step on there is no way back: what failed leaves a `broken` env with its directory and port, which
 * another reset or a deployment repairs.
 */
export function resetPlan(previous: EnvState, hasDatabase: boolean): Plan {
  return {
    kind: 'reset',
    decision: 'reset',
    steps: [
      { name: 'remove_containers', undo: 'none' },
      ...(hasDatabase ? [{ name: 'reset_database', undo: 'none' } as const] : []),
      { name: 'create_networks', undo: 'none' },
      { name: 'create_containers', undo: 'remove_containers' },
      { name: 'start_containers', undo: 'none' },
      { name: 'wait_ready', undo: 'none' },
      { name: 'verify', undo: 'none' },
      { name: 'mark_running', undo: 'none' },
    ],
    states: { during: 'resetting', success: 'running', failure: 'broken' },
    pointOfNoReturn: { step: 'remove_containers', untouched: previous },
    onCrash: 'finish',
  };
}

/**
 * Removes all that the env holds, the port last: its subnet goes with it.
 * @param kind `expire` when the daemon does it by itself
 */
export function destroyPlan(hasDatabase: boolean, kind: 'destroy' | 'expire' = 'destroy'): Plan {
  return {
    kind,
    decision: 'destroy',
    steps: [
      { name: 'remove_containers', undo: 'none' },
      ...(hasDatabase ? [{ name: 'remove_database', undo: 'none' } as const] : []),
      { name: 'remove_directory', undo: 'none' },
      { name: 'release_port', undo: 'none' },
      { name: 'mark_destroyed', undo: 'none' },
    ],
    states: { during: 'destroying', success: 'destroyed', failure: 'broken' },
    pointOfNoReturn: undefined,
    onCrash: 'finish',
  };
}

/** The env is as asked for already: nothing but the events. */
export function unchangedPlan(kind: OperationKind, state: EnvState): Plan {
  return {
    kind,
    decision: kind === 'deploy' ? 'return_running' : 'unchanged',
    steps: [],
    states: { during: state, success: state, failure: state },
    pointOfNoReturn: undefined,
    onCrash: 'finish',
  };
}
