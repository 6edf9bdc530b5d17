// The benchmark proper: a berthd of its own, the chosen scenarios one after the other, the report, and nothing left.
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import Docker from 'dockerode';
import { SetupError } from '../../src/cli/setup/host.mjs';
import { say, step } from '../../src/cli/setup/progress.mjs';
import { connect } from '../../dist/clients/typescript/src/index.js';
import { addHello, addNotes } from './apps.mjs';
import { startBerthd } from './berthd.mjs';
import { removeLabelled } from './leftovers.mjs';
import { TooBusy } from './measure/interleaved.mjs';
import { bareInterpreter } from './peers/bare-python.mjs';
import { profileDeployment } from './profile/deployment.mjs';
import { profileExecution } from './profile/execution.mjs';
import { machine } from './report/machine.mjs';
import { printTable } from './report/table.mjs';
import { toJson } from './report/json.mjs';
import { measureBackToBack } from './scenarios/back-to-back.mjs';
import { measureDeploy } from './scenarios/deploy.mjs';
import { measureDeployDatabase } from './scenarios/deploy-db.mjs';
import { measureDeployShared } from './scenarios/deploy-shared.mjs';
import { measureDeployThroughput } from './scenarios/deploy-throughput.mjs';
import { measureDestroy } from './scenarios/destroy.mjs';
import { measureExecute } from './scenarios/execute.mjs';
import { measureFirstOutput } from './scenarios/first-output.mjs';
import { measureGvisor } from './scenarios/gvisor.mjs';
import { measureHundredEnvs } from './scenarios/hundred-envs.mjs';
import { measureIdle } from './scenarios/idle.mjs';
import { measureImports } from './scenarios/imports.mjs';
import { measureStopStart } from './scenarios/stop-start.mjs';
import { measureStream } from './scenarios/stream.mjs';
import { measureTenants } from './scenarios/tenants.mjs';
import { measureThousand } from './scenarios/thousand.mjs';
import { measureThroughput } from './scenarios/throughput.mjs';

/**
 * @typedef {object} Bench what a scenario works with
 * @property {string} id of this run; also the value of PEER_LABEL on what peers make in Docker
 * @property {import('./berthd.mjs').Berthd} berthd
 * @property {import('../../dist/clients/typescript/src/index.js').BerthClient} client
 * @property {Docker} docker
 * @property {string} python the bare interpreter
 * @property {string} sandboxImage image that the sandboxes run
 * @property {{env: Record<string, string>, version: string} | undefined} compose
 * @property {AbortSignal} signal
 * @property {(text: string) => void} note shows what is under way
 */

const MEASURE = {
  idle: measureIdle,
  execute: measureExecute,
  imports: measureImports,
  'first-output': measureFirstOutput,
  'back-to-back': measureBackToBack,
  thousand: measureThousand,
  throughput: measureThroughput,
  tenants: measureTenants,
  gvisor: measureGvisor,
  stream: measureStream,
  deploy: measureDeploy,
  'deploy-db': measureDeployDatabase,
  'deploy-shared': measureDeployShared,
  'stop-start': measureStopStart,
  destroy: measureDestroy,
  'deploy-throughput': measureDeployThroughput,
  'hundred-envs': measureHundredEnvs,
};

const PROFILE = {
  execute: profileExecution,
  deploy: (bench) => profileDeployment(bench, addHello),
  'deploy-db': (bench) => profileDeployment(bench, (berthd) => addNotes(berthd, 'standalone')),
  'deploy-shared': (bench) => profileDeployment(bench, (berthd) => addNotes(berthd, 'shared')),
};

/** @param {import('./arguments.mjs').Options & {sandboxImage: string, compose: object | undefined, signal: AbortSignal}} options */
export async function runBenchmark({ scenarios, jsonFile, profiles, sandboxImage, compose, signal }) {
  const id = `berth-bench-${randomUUID().slice(0, 8)}`;
  const python = await bareInterpreter();
  const before = machine();
  let berthd;
  let client;
  const findings = [];
  try {
    await step('start berthd', async () => {
      berthd = await startBerthd(id, signal);
      return `pid ${berthd.pid}, its pool is warm, its sandboxes run under ${berthd.runtime}`;
    });
    client = connect({ address: berthd.grpcAddress });
    const bench = { id, berthd, client, docker: new Docker(), python, sandboxImage, compose, signal };
    for (const name of scenarios) {
      await step(`measure ${name}`, async (note) => {
        try {
          findings.push(...(await MEASURE[name]({ ...bench, note })));
        } catch (error) {
          // What the others found is not lost with it.
          if (!(error instanceof TooBusy)) throw error;
          findings.push({ name, missing: error.message });
        }
      });
    }
    for (const name of profiles) await PROFILE[name](bench);
  } catch (error) {
    // What fails because everything is being taken down is not what people need to read.
    throw signal.aborted ? signal.reason : error;
  } finally {
    client?.close();
    await step('take everything down', async () => {
      await berthd?.dispose();
      await removeLabelled(id);
    });
    // What was found is not lost with what failed.
    if (findings.length > 0) printTable(findings, { before, after: machine(), python });
  }
  if (profiles.length === 0 && jsonFile !== undefined) {
    try {
      writeFileSync(jsonFile, `${JSON.stringify(toJson(findings, { before, after: machine() }), null, 2)}\n`);
    } catch (error) {
      throw new SetupError(`The results cannot be written: ${error.message}`);
    }
    say(`ratios written to ${jsonFile}`);
  }
}
