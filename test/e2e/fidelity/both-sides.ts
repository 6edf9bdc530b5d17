import { expect } from 'vitest';
import { connect, type BerthClient, type RunResult } from '../../../clients/typescript/src/index.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { ownedBy } from '../../support/docker-cli.js';
import type { FidelityProgram } from './program.js';
import { PlainPython } from './reference/plain-python.js';

/** A daemon with warm sandboxes, and a plain interpreter in a container like theirs. */
export class BothSides {
  private constructor(
    readonly daemon: TestDaemon,
    readonly client: BerthClient,
    readonly plain: PlainPython,
  ) {}

  /** @param env settings of the daemon; the plain container has what they make of a sandbox */
  static async start(env: Record<string, string>): Promise<BothSides> {
    const daemon = await startDaemon({ env });
    const client = connect({ address: daemon.address });
    const { started } = await client.run({ language: 'python', source: { $case: 'code', value: 'pass' } });
    return new BothSides(daemon, client, await PlainPython.like(`berth-${started.sandboxId}`));
  }

  /** Runs a program through Execute. */
  execute(program: FidelityProgram): Promise<RunResult> {
    const { code, files = {}, entry, args, env, cwd, stdin } = program;
    return this.client.run({
      language: 'python',
      source: code === undefined ? undefined : { $case: 'code', value: code },
      files: Object.entries(files).map(([path, content]) => ({ path, content: Buffer.from(content) })),
      entry,
      args,
      env,
      cwd,
      stdin: stdin === undefined ? undefined : Buffer.from(stdin),
    });
  }

  /** Ends both, and sees to it that nothing is left. */
  async dispose(): Promise<void> {
    await this.plain[Symbol.asyncDispose]();
    this.client.close();
    expect(await this.daemon.stop()).toBe(0);
    expect(await ownedBy(this.daemon.owner)).toEqual([]);
    await this.daemon.dispose();
  }
}
