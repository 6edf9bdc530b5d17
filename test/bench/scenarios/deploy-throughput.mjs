// Envs a minute: eight at once, each deployed and destroyed again.
import { addHello } from '../apps.mjs';
import { inParallel } from '../measure/in-parallel.mjs';
import { timed } from '../measure/interleaved.mjs';
import { deploy, destroy } from '../peers/envs.mjs';
import { figure } from '../report/finding.mjs';

const AT_ONCE = 8;
const ENVS = 48;

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureDeployThroughput({ berthd, client, signal, note }) {
  const app = addHello(berthd);
  const lives = (count) =>
    inParallel({ count, atOnce: AT_ONCE }, async (index) => {
      const { env } = await deploy(client, app, signal, `bench-${index}`);
      await destroy(client, env.envId, signal);
    });
  note('warming up');
  await lives(AT_ONCE);
  note(`${AT_ONCE} at once`);
  const { ms } = await timed(() => lives(ENVS));
  return [
    figure(
      'deploy.throughput8',
      (ENVS * 60_000) / ms,
      '/min',
      `envs of ${app.what} deployed, ready and destroyed, ${AT_ONCE} at once, ${ENVS} in all`,
    ),
  ];
}
