// `npm run bench -- --profile`: where the time of a deployment goes, and of stopping, starting and destroying an env: what
// the terminal event of each says of its steps, and what is around them.
import { readFileSync } from 'node:fs';
import { say, step } from '../../../src/cli/setup/progress.mjs';
import { Samples } from '../measure/samples.mjs';
import { deploy, destroy, mustWork, start, stop } from '../peers/envs.mjs';

const LIVES = 8;

/**
 * @param {import('../benchmark.mjs').Bench} bench
 * @param {(berthd: import('../berthd.mjs').Berthd) => Promise<import('../apps.mjs').BenchApp> | import('../apps.mjs').BenchApp} addApp
 */
export async function profileDeployment({ berthd, client, signal }, addApp) {
  const app = await addApp(berthd);
  const operations = ['DeployEnv', 'StopEnv', 'StartEnv', 'DestroyEnv'].map((name) => new Operation(name));
  const life = async (take) => {
    const deployed = await deploy(client, app, signal);
    const { envId, url } = deployed.env;
    await mustWork(app, url, signal);
    const others = [stop, start, destroy];
    take(operations[0], deployed);
    for (const [index, operate] of others.entries())
      take(operations[index + 1], await operate(client, envId, signal));
  };
  await step(`profile ${LIVES} deployments of ${app.what}`, async (note) => {
    // The first one makes what later ones find, such as the shared database's server.
    await life(() => {});
    for (let round = 1; round <= LIVES; round++) {
      note(`${round} of ${LIVES}`);
      await life((operation, operated) => operation.add(operated));
    }
  });
  for (const operation of operations) operation.print();
  say(`\nThese are figures of this machine (load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}).`);
}

/** What was seen of one kind of operation, all in milliseconds. */
class Operation {
  #whole = new Samples();
  #before = new Samples();
  #between = new Samples();
  /** By the name of the step, in the order of the plan. */
  #steps = new Map();

  constructor(name) {
    this.name = name;
  }

  /** @param {import('../peers/envs.mjs').Operated} operated */
  add({ ms, tookMs, timings }) {
    let inSteps = 0;
    for (const { step: name, tookMs: stepMs } of timings) {
      if (!this.#steps.has(name)) this.#steps.set(name, new Samples());
      this.#steps.get(name).add(stepMs);
      inSteps += stepMs;
    }
    this.#whole.add(ms);
    this.#before.add(ms - tookMs);
    this.#between.add(tookMs - inSteps);
  }

  print() {
    const row = (text, samples) =>
      say(`${text.padEnd(64)}${samples.p50.toFixed(0).padStart(8)}${samples.p95.toFixed(0).padStart(8)}`);
    say(`\n${`${this.name}, milliseconds`.padEnd(64)}${'p50'.padStart(8)}${'p95'.padStart(8)}`);
    row('whole, from the call to its terminal event', this.#whole);
    row('  before its start and around it: looks, client, gRPC', this.#before);
    for (const [name, samples] of this.#steps) row(`  step ${name}`, samples);
    row('  between the steps: checkpoints and events committed', this.#between);
  }
}
