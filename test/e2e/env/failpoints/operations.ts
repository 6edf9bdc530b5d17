import type { AppName } from './apps.js';
import type { Ending, FailpointWorld } from './world.js';

/** An operation whose failpoints are tried. */
export interface TriedOperation {
  name: string;
  app: AppName;
  /** What it is to berthd: operations of one kind pass the same places, but for what their apps add. */
  kind: string;
  /** State of the env that it begins with. */
  from: 'nothing' | 'running' | 'stopped';
  /** Whether it begins without a shared server, and without data of one. Default: where its app uses one, it is there. */
  withoutServer?: boolean;
  run: (world: FailpointWorld, envId: string) => Promise<Ending>;
  /** What the table says of it when nothing is in its way. */
  normal: string;
  /** States that the env may be in when it was disturbed and has settled; empty: it is gone. */
  settles: string[];
  /** The same after berthd was killed, where the next boot has to bring it further than a failure may. Default: `settles`. */
  settlesKilled?: string[];
  /** The line of berthd's log behind which it passes nothing more. */
  over: RegExp;
}

type Simple = 'stop' | 'start' | 'reset' | 'destroy';

function simple(kind: Simple, app: AppName, from: TriedOperation['from'], settles: string[]): TriedOperation {
  const run: TriedOperation['run'] = (world, envId) => world.run(kind, envId);
  return {
    name: kind,
    app,
    kind,
    from,
    run,
    normal: 'succeeded',
    settles,
    over: new RegExp(`env ${kind} succeeded`),
  };
}

function deploy(app: AppName): TriedOperation {
  return {
    name: 'deploy',
    app,
    kind: 'deploy',
    from: 'nothing',
    run: (world) => world.deploy(app),
    normal: 'succeeded',
    settles: ['', 'running'],
    over: /env deploy succeeded/,
  };
}

/** All of the life of an env with this app. */
export function lifeOf(app: Exclude<AppName, 'failing'>): TriedOperation[] {
  return [
    deploy(app),
    simple('stop', app, 'running', ['stopped', 'running']),
    simple('start', app, 'stopped', ['running', 'stopped']),
    // Once begun there is no way back, and the next boot finishes it.
    { ...simple('reset', app, 'running', ['running', 'broken', 'stopped']), settlesKilled: ['running'] },
    simple('destroy', app, 'running', ['', 'running']),
  ];
}

/** A deployment that fails by itself: its undo has failpoints of its own. */
export const FAILING_DEPLOY: TriedOperation = {
  ...deploy('failing'),
  name: 'failing deploy',
  normal: 'failed APP_EXITED',
  settles: [''],
  over: /env deploy failed/,
};

/** Files of another content over an env that runs. What it was is gone from its first step on; its data stays. */
export function replaceOf(app: Exclude<AppName, 'failing'>): TriedOperation {
  return {
    ...deploy(app),
    name: 'replace',
    kind: 'replace',
    from: 'running',
    run: (world) => world.deployOther(app),
    settles: ['running', 'broken'],
  };
}

/** A deployment of what is there already, stopped. */
export const DEPLOY_STOPPED: TriedOperation = {
  ...deploy('plain'),
  name: 'deploy of a stopped env',
  kind: 'start',
  from: 'stopped',
  settles: ['running', 'stopped'],
};

/** A person asks for the shared server where there is none. */
export const MAKE_SERVER: TriedOperation = {
  name: 'make the server',
  app: 'shared',
  kind: 'make the server',
  from: 'nothing',
  withoutServer: true,
  run: (world) => world.ensureServer(),
  normal: 'succeeded',
  settles: [''],
  over: /the shared database takes connections/,
};

/** The first env that needs the shared server, which is made on the way. */
export const FIRST_SHARED_DEPLOY: TriedOperation = {
  ...deploy('shared'),
  name: 'first deploy',
  withoutServer: true,
};

/** An env whose time is over, ended by the sweep; for a world that sweeps often. */
export const EXPIRY: TriedOperation = {
  name: 'expire',
  app: 'plain',
  kind: 'expire',
  from: 'running',
  run: (world, envId) => world.gone(envId),
  normal: 'expired',
  settles: [''],
  over: /env expire succeeded/,
};

const DATABASES = { plain: '', shared: 'shared', standalone: 'standalone' } as const;

/** What brings an env in this state nearer to another. */
function next(from: TriedOperation['from'], state: string): Simple {
  if (from === 'nothing' || state === 'broken') return 'destroy';
  return from === 'running' ? 'start' : 'stop';
}

/** Brings the world's one env into the state that an operation begins with; what is there in that state stays. */
export async function bring(
  world: FailpointWorld,
  { from, name, app, withoutServer = false }: TriedOperation,
): Promise<string> {
  for (;;) {
    const env = world.env();
    if (env && (withoutServer || (app !== 'failing' && env.database !== DATABASES[app]))) {
      await world.run('destroy', env.id);
      continue;
    }
    if (withoutServer) await world.removeServer();
    else if (app === 'shared') await world.ensureServer();
    const state = env?.state ?? 'nothing';
    if (state === from && name !== 'expire') return env?.id ?? '';
    const seen = new Set(world.daemon.log);
    const kind = state === 'nothing' ? 'deploy' : next(from, state);
    const ended =
      kind === 'deploy'
        ? await world.deploy(app, name === 'expire' ? { ttlMs: 1_000 } : {})
        : await world.run(kind, env!.id);
    if (!ended.ok) throw new Error(`the world could not be brought to "${from}" for ${name}: ${ended.text}`);
    if (name === 'expire') return world.env()?.id ?? '';
    // Its line may come behind its answer, and would be taken for the end of what is tried next.
    await world.daemon.logged((line) => !seen.has(line) && line.msg === `env ${kind} succeeded`);
  }
}
