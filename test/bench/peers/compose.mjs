// docker compose on the file that Berth rendered, under names of its own.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parse, stringify } from 'yaml';
import { SetupError } from '../../../src/cli/setup/host.mjs';
import { must } from '../../../src/cli/setup/processes.mjs';
import { PEER_LABEL } from '../leftovers.mjs';
import { deploy, destroy } from './envs.mjs';

/** Outside of the range of the benchmark's berthd. */
const SUBNET = '10.213.250.0/28';

export const NO_COMPOSE = 'docker compose v2 is neither on this host nor to be had from a Debian mirror';

/**
 * A project that compose can bring up. All methods run the command to its end.
 *
 * @typedef {object} ComposeProject
 * @property {string} url of the app
 * @property {string[]} containers their names
 * @property {string[]} networks their names
 * @property {() => Promise<void>} upAndWait `up -d --wait`: until Docker calls every service healthy
 * @property {() => Promise<void>} up `up -d`: until the containers are started
 * @property {() => Promise<void>} stop
 * @property {() => Promise<void>} start until the containers are started
 * @property {() => Promise<void>} down with its volumes
 */

/**
 * Has Berth deploy an app for its compose file, and hands a copy of that to `work`: images, commands, mounts, limits and
 * health checks are the same; names, the host port and the subnet are compose's own.
 *
 * @template T
 * @param {import('../benchmark.mjs').Bench} bench one with `compose`
 * @param {import('../apps.mjs').BenchApp} app
 * @param {(project: ComposeProject, withInterval: (interval: string) => ComposeProject) => Promise<T>} work
 *   `withInterval` gives the same project with another interval of all health checks
 * @returns {Promise<T>}
 */
export async function withComposeCopy({ id, client, compose, signal, note }, app, work) {
  const scratch = mkdtempSync(join(tmpdir(), 'berth-bench-compose-'));
  try {
    note('the compose file that Berth renders');
    const { env } = await deploy(client, app, signal);
    const copy = join(scratch, 'env');
    // What it mounts of the env's directory goes with the env.
    cpSync(env.directory, copy, { recursive: true });
    await destroy(client, env.envId, signal);

    const project = `${id}-compose`;
    const file = join(copy, 'docker-compose.yml');
    const rendered = parse(readFileSync(file, 'utf8'));
    const port = await freePort();
    const change = { id, project, port, directory: env.directory, copy };
    writeFileSync(file, stringify(changed(rendered, change)), { mode: 0o600 });
    const things = {
      url: `http://127.0.0.1:${port}`,
      containers: Object.keys(rendered.services).map((name) => containerName(project, name)),
      networks: [project],
    };
    const withInterval = (interval) => {
      const other = join(copy, `docker-compose.${interval}.yml`);
      writeFileSync(other, stringify(changed(rendered, { ...change, interval })), { mode: 0o600 });
      return { ...commands(other, project, compose), ...things };
    };
    return await work({ ...commands(file, project, compose), ...things }, withInterval);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const containerName = (project, service) => `${project}-${service}`;

function commands(file, project, { env }) {
  const run = async (...args) => {
    await must(['docker', 'compose', '-p', project, '-f', file, ...args], { env });
  };
  return {
    upAndWait: () => run('up', '-d', '--wait'),
    up: () => run('up', '-d'),
    stop: () => run('stop'),
    start: () => run('start'),
    down: () => run('down', '--volumes'),
  };
}

function changed(rendered, { id, project, port, directory, copy, interval }) {
  const compose = structuredClone(rendered);
  const labels = { [PEER_LABEL]: id };
  compose.name = project;
  for (const [name, service] of Object.entries(compose.services)) {
    service.container_name = containerName(project, name);
    service.labels = labels;
    for (const mount of service.volumes ?? []) {
      const inside = relative(directory, mount.source);
      if (mount.type === 'bind' && !inside.startsWith('..')) mount.source = join(copy, inside);
    }
    if (interval !== undefined && service.healthcheck) service.healthcheck.interval = interval;
  }
  const { app } = compose.services;
  const published = /^127\.0\.0\.1:\d+:(?<container>\d+)$/.exec(app.ports?.[0] ?? '')?.groups;
  if (published === undefined)
    throw new SetupError(
      `The rendered compose file publishes ${app.ports?.[0]}, which the benchmark cannot copy.`,
    );
  app.ports = [`127.0.0.1:${port}:${published.container}`];
  compose.networks.env = { name: project, ipam: { config: [{ subnet: SUBNET }] }, labels };
  for (const [key, volume] of Object.entries(compose.volumes ?? {}))
    compose.volumes[key] = { ...volume, name: `${project}_${key}`, labels };
  return compose;
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
