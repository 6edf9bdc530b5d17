import type { Command } from 'commander';
import { newCommand, type Cli } from '../command.js';
import type { CheckResult, CheckStatus } from '../doctor/check.js';
import { reconcileEnvs } from '../doctor/reconcile.js';
import type { HostView } from '../doctor/host-view.js';
import { EXIT } from '../exit-codes.js';
import type { Output } from '../output/output.js';
import { printable, type Colour } from '../output/style.js';
import type { CommonOptions, Session } from '../session.js';
import { UsageError } from '../usage-error.js';

interface DoctorOptions extends CommonOptions {
  reconcile?: boolean;
  apply?: boolean;
}

interface Finding extends CheckResult {
  name: string;
}

const COLOURS: Record<CheckStatus, Colour> = { ok: 'green', warn: 'yellow', fail: 'red' };

/** @param hostOf the host to look at; tests give another one */
export function doctorCommand(cli: Cli, hostOf: (session: Session) => Promise<HostView> = thisHost): Command {
  return newCommand('doctor', 'look for what is missing on this host, and say what to do')
    .option('--reconcile', 'compare what berthd owns on the host with its rows instead; a dry run')
    .option('--apply', 'with --reconcile: remove what no row knows, mark envs whose containers are gone')
    .addHelpText('after', '\nExit code 1 when something fails that Berth needs.')
    .action(async (options: DoctorOptions) => {
      await cli.perform(options, async (session) => {
        if (options.apply && !options.reconcile) throw new UsageError('--apply goes with --reconcile');
        if (options.reconcile) return reconcileEnvs(session, { apply: options.apply ?? false });
        // Only here, since reading the configuration makes every other command start later.
        const { CHECKS } = await import('../doctor/checks/index.js');
        const host = await hostOf(session);
        const findings = await Promise.all(
          CHECKS.map(async ({ name, look }): Promise<Finding> => ({ name, ...(await look(host)) })),
        );
        const failed = findings.some(({ status }) => status === 'fail');
        if (session.json) session.out.json({ ok: !failed, checks: findings });
        else show(session.out, findings);
        return failed ? EXIT.failed : EXIT.ok;
      });
    });
}

async function thisHost({ io, client, signal }: Session): Promise<HostView> {
  const { RealHost } = await import('../doctor/real-host.js');
  return new RealHost({ env: io.env, client, signal });
}

function show(out: Output, findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { name, status, text, todo } of findings) {
    out.line(`${out.paint(COLOURS[status], status.padEnd(4))}  ${name.padEnd(width)}  ${printable(text)}`);
    if (todo !== undefined) out.line(`${' '.repeat(width + 8)}${out.paint('cyan', '→')} ${todo}`);
  }
  const count = (status: CheckStatus): number =>
    findings.filter((finding) => finding.status === status).length;
  out.line(`${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed`);
}
