import { afterAll, expect, it } from 'vitest';
import { onlyInFull } from '../../../run/extent.mjs';
import { docker } from '../../../support/docker-cli.js';
import { SecondDocker } from '../../../support/second-docker.js';
import type { AppName } from './apps.js';
import { FailpointWorld } from './world.js';

const HOUR = 3_600_000;
const MYSQL = process.env['BERTH_TEST_MYSQL_IMAGE'] ?? 'mysql:9';
const PYTHON = 'python:3.11-slim';
/** The twelve steps of a deployment. */
const STEPS = [
  'check_image',
  'claim_port',
  'create_directory',
  'copy_app',
  'prepare_database',
  'render_compose',
  'create_networks',
  'create_containers',
  'start_containers',
  'wait_ready',
  'verify',
  'mark_running',
];

const table: string[][] = [];

/**
 * Deploys and does something at the beginning of a step, which is held open meanwhile; then waits for berthd to settle,
 * checks, deploys again, checks, and destroys.
 */
async function disturbed(
  world: FailpointWorld,
  app: AppName,
  step: string,
  what: string,
  disturb: () => Promise<void>,
): Promise<string[]> {
  const { begun, done } = commitsOf(step, app);
  // Begun before the step's own calls, and over, or nearly, when it wants to be done.
  world.arm(`${done}=delay(1000)`);
  const seen = new Set(world.daemon.log);
  const deploying = world.deploy(app);
  await world.daemon.logged(
    (line) => !seen.has(line) && line.event === 'failpoint_passed' && line['name'] === begun,
  );
  await disturb();
  const ended = await deploying;
  world.disarm();
  await world.settle();
  // What ended with Docker is started again as its restart policy says.
  if (ended.ok && (await world.violations()).length > 0)
    await world.daemon.logged((line) => !seen.has(line) && line.msg === 'env start succeeded');
  const state = world.env()?.state ?? 'nothing left';
  const wrong = await world.violations();
  const again = await world.deploy(app);
  if (!again.ok) wrong.push(`deployed again, it ${again.text}`);
  wrong.push(...(await world.violations()));
  const env = world.env();
  if (env) await world.run('destroy', env.id);
  wrong.push(...(await world.violations()));
  table.push([what.padEnd(28), step.padEnd(18), `${ended.text}; ${state}`]);
  return wrong.map((text) => `${what} at ${step}: ${text}`);
}

/** The failpoints of the commits that a step is begun and done with. */
function commitsOf(step: string, app: AppName): { begun: string; done: string } {
  const steps = STEPS.filter((name) => app === 'shared' || name !== 'prepare_database');
  const at = steps.indexOf(step);
  const commit = (before: string | undefined, after: string | undefined): string => {
    const checkpoints = [before && `${before} done`, after && `${after} intent`];
    return `store.commit(${checkpoints.filter((text) => text !== undefined).join(', ')})`;
  };
  return { begun: commit(steps[at - 1], step), done: commit(step, steps[at + 1]) };
}

/** The server's process dies; its restart policy, or Berth, brings it back. */
async function crash(container: string): Promise<void> {
  const pid = Number(await docker('inspect', '--format', '{{.State.Pid}}', container).catch(() => '0'));
  if (pid > 0) process.kill(pid, 'SIGKILL');
}

/** Docker, and MySQL, are restarted while a deployment is under way. Prints how each deployment ended. */
export function restartTests(): void {
  afterAll(() => table.length > 0 && console.log(table.map((row) => row.join('  ')).join('\n')));

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    onlyInFull(
      it,
      `dockerd is restarted in mid-deployment by ${signal}, at each of the twelve steps`,
      async () => {
        const second = await SecondDocker.start();
        const wrong: string[] = [];
        try {
          await second.take(PYTHON);
          await second.take(MYSQL);
          const world = await FailpointWorld.open({
            lane: 9,
            docker: second.docker,
            env: { BERTH_DOCKER_HOST: second.host },
          });
          try {
            for (const step of STEPS) {
              const app = step === 'prepare_database' ? 'shared' : 'plain';
              wrong.push(
                ...(await disturbed(world, app, step, `dockerd ${signal}`, async () => {
                  const seen = new Set(world.daemon.log);
                  await second.stop(signal);
                  await second.start();
                  await world.daemon.logged((line) => !seen.has(line) && line.msg === 'docker is up');
                })),
              );
            }
          } finally {
            wrong.push(...(await world.close()));
          }
        } finally {
          wrong.push(...(await second.dispose()));
        }
        expect(wrong).toEqual([]);
      },
      HOUR,
    );
  }

  onlyInFull(
    it,
    'the shared MySQL is restarted in mid-deployment, at each of the twelve steps',
    async () => {
      const world = await FailpointWorld.open({ lane: 8 });
      const wrong: string[] = [];
      try {
        // The server is there beforehand.
        expect(await world.deploy('shared')).toMatchObject({ ok: true });
        await world.run('destroy', world.env()!.id);
        for (const step of STEPS) {
          const server = `${world.daemon.owner}-shared-mysql`;
          wrong.push(...(await disturbed(world, 'shared', step, 'shared MySQL', () => crash(server))));
        }
      } finally {
        wrong.push(...(await world.close()));
      }
      expect(wrong).toEqual([]);
    },
    HOUR,
  );

  onlyInFull(
    it,
    "an env's own MySQL is restarted in mid-deployment, at each step that it is there for",
    async () => {
      const world = await FailpointWorld.open({ lane: 8 });
      const wrong: string[] = [];
      try {
        for (const step of ['start_containers', 'wait_ready', 'verify', 'mark_running']) {
          const server = (): string => `${world.env()!.id}-db`;
          wrong.push(...(await disturbed(world, 'standalone', step, 'own MySQL', () => crash(server()))));
        }
      } finally {
        wrong.push(...(await world.close()));
      }
      expect(wrong).toEqual([]);
    },
    HOUR,
  );
}
