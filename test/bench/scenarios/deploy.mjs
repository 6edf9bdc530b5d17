// The sample node app, deployed and destroyed: Berth against `docker compose up --wait` on the same compose file.
import { tmpdir } from 'node:os';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { operationEnd } from '../../../dist/clients/typescript/src/index.js';
import { root } from '../../../src/cli/setup/host.mjs';
import { addApp } from '../berthd.mjs';
import { interleaved, timed } from '../measure/interleaved.mjs';
import { composeDown, composeUp, copyComposeFile } from '../peers/compose.mjs';
import { compare, side } from '../report/finding.mjs';

const NAME = 'deploy.p50.vs_compose_up_wait';
const APP_ID = 'hello-node';
/** Docker makes its first health check only after one interval: a long one would hide everything else. */
const HEALTH_INTERVAL_MS = 1_000;

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureDeploy({ id, berthd, client, compose, signal, note }) {
  if (compose === undefined)
    return [
      { name: NAME, missing: 'docker compose v2 is neither on this host nor to be had from a Debian mirror' },
    ];
  addApp(berthd, APP_ID, join(root, 'templates/apps', APP_ID), (metadata) => ({
    ...metadata,
    healthCheck: { ...metadata.healthCheck, intervalMs: HEALTH_INTERVAL_MS },
  }));
  const scratch = mkdtempSync(join(tmpdir(), 'berth-bench-compose-'));
  try {
    note('the compose file that Berth renders');
    const first = await deploy(client, signal);
    const copy = await copyComposeFile({
      source: join(first.env.directory, 'docker-compose.yml'),
      target: join(scratch, 'docker-compose.yml'),
      runId: id,
    });
    await destroy(client, first.env.envId, signal);

    note('in turn');
    const [berth, peer] = await interleaved(
      [() => berthRound(client, signal), () => composeRound(copy, compose)],
      { rounds: 10, warmUp: 1, limitMs: 50_000, signal },
    );
    return [
      compare(
        NAME,
        'p50',
        side(
          berth,
          `DeployEnv of templates/apps/${APP_ID} to its terminal event, which waits for an HTTP answer to Berth's own probe`,
        ),
        side(
          peer,
          `docker compose ${compose.version} up -d --wait on the file that Berth rendered, which waits for Docker to call it healthy; its first check comes after ${HEALTH_INTERVAL_MS / 1000} s`,
        ),
      ),
    ];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function berthRound(client, signal) {
  const { ms, env } = await deploy(client, signal);
  await mustAnswer(env.url, signal);
  await destroy(client, env.envId, signal);
  return ms;
}

async function composeRound(copy, compose) {
  try {
    const ms = await composeUp(copy, compose);
    await mustAnswer(copy.url);
    return ms;
  } finally {
    await composeDown(copy, compose);
  }
}

/** @returns {Promise<{ms: number, env: import('../../../dist/clients/typescript/src/index.js').Env}>} */
async function deploy(client, signal) {
  const { ms, result: env } = await timed(() =>
    succeeded(client.deploy({ userId: 'bench', appId: APP_ID }, { signal })),
  );
  return { ms, env };
}

async function destroy(client, envId, signal) {
  await succeeded(client.destroy(envId, { signal }));
}

/** Follows an operation to its end. */
async function succeeded(events) {
  for await (const event of events) {
    const end = operationEnd(event);
    if (end?.$case === 'succeeded') return end.value.env;
    if (end !== undefined)
      throw new Error(`an env operation ${end.$case}: ${JSON.stringify(end.value.error ?? {})}`);
  }
  throw new Error('the stream of an env operation ended without its terminal event');
}

/** After the clock has stopped: a deployment that does not answer is none. */
async function mustAnswer(url, signal) {
  const answer = await fetch(url, { signal });
  const text = await answer.text();
  if (!answer.ok || !text.startsWith('Hello from Node'))
    throw new Error(`${url} answers ${answer.status} ${JSON.stringify(text.slice(0, 80))}`);
}
