import type {
  DatabaseProvider,
  DatabaseProviderRegistry,
  PreparedDatabase,
} from '../../database/provider.js';
import type { PortAllocator } from '../../ports/allocator.js';
import type { SubnetPlan } from '../../ports/subnets.js';
import type { LoadedApp } from '../app/app.js';
import type { AppSpec } from '../app/spec.js';
import type { ComposeProject } from '../compose/model.js';
import type { EnvConfig } from '../config.js';
import type { EnvEngine } from '../engine.js';
import type { RequestedLife } from '../life/settings.js';
import type { Env, UndoneThing } from '../model.js';
import type { EnvPatch } from '../store.js';
import type { ProjectWatch } from './project-watch.js';

/** What all steps of all operations work with. */
export interface StepDeps {
  engine: EnvEngine;
  ports: PortAllocator;
  subnets: SubnetPlan;
  templates: TemplateRenderer;
  databases: DatabaseProviderRegistry;
  config: EnvConfig;
}

export interface TemplateRenderer {
  render(name: string, view: object, escape: (value: unknown) => string): string;
}

/** What one operation knows; steps later in the plan use what earlier ones left here. Nothing of it survives a crash. */
export interface StepContext {
  /** As committed, with the patches of the steps so far. */
  env: Env;
  /** Of a deployment. */
  deployment: Deployment | undefined;
  /** Set by `render_compose`, or read from the env's directory when first needed. */
  project: ComposeProject | undefined;
  /** Opened before containers start. */
  watch: ProjectWatch | undefined;
  /** Ports that Docker found taken in this operation. */
  excludedPorts: Set<number>;
  preparedDatabase: PreparedDatabase | undefined;
  /** Time the app has to answer; undefined: as its compose file says. */
  readyTimeoutMs: number | undefined;
  /** What the env's life becomes with its new content; undefined: as it is. */
  life: RequestedLife | undefined;
}

/** What a deployment deploys. */
export interface Deployment {
  app: LoadedApp;
  /** Digest of the app and of what the request changes of it. */
  digest: string;
  spec: AppSpec;
  database: DatabaseProvider | undefined;
}

export function newContext(env: Env, deployment?: Deployment): StepContext {
  return {
    env,
    deployment,
    project: undefined,
    watch: undefined,
    excludedPorts: new Set(),
    preparedDatabase: undefined,
    readyTimeoutMs: undefined,
    life: undefined,
  };
}

/** What a step did. */
export interface StepResult {
  /** For people, on the event. */
  detail: string;
  /** For the undo, on the checkpoint. */
  data?: Record<string, unknown>;
  /** Of the row, committed with the checkpoint. */
  patch?: EnvPatch;
  /** Something to tell that does not fail the step. */
  warning?: { code: string; message: string };
  /** What it removed, for the terminal event. */
  removed?: UndoneThing[];
}

export interface UndoResult {
  removed: UndoneThing[];
  patch?: EnvPatch;
}
