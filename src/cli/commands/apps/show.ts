import {
  FindingSeverity,
  type App,
  type Finding,
  type GetAppResponse,
} from '../../../../clients/typescript/src/index.js';
import { formatSpan } from '../../output/duration.js';
import type { Output } from '../../output/output.js';
import { formatSize } from '../../output/size.js';
import { printable } from '../../output/style.js';
import { table } from '../../output/table.js';

const HEADER = ['APP', 'RUNTIME', 'FILES', 'SIZE', 'CHANGED', 'DEPLOYABLE', 'NAME'];

export function showApps(out: Output, apps: readonly App[]): void {
  const nowMs = Date.now();
  const rows = apps.map((app) => [
    app.appId,
    printable(app.metadata?.runtimeType ?? ''),
    String(app.fileCount),
    formatSize(app.sizeBytes),
    app.updateTime === undefined ? '' : `${formatSpan(nowMs - app.updateTime.getTime())} ago`,
    app.valid ? out.paint('green', 'yes') : out.paint('red', 'no'),
    printable(app.metadata?.name ?? ''),
  ]);
  for (const line of table(HEADER, rows)) out.line(line);
  for (const { appId, findings } of apps) showFindings(out, findings.filter(isError), `${appId}: `);
}

export function showApp(out: Output, { app, files }: GetAppResponse): void {
  if (app === undefined) return;
  showApps(out, [{ ...app, findings: [] }]);
  out.line(out.paint('dim', app.digest));
  showFindings(out, app.findings);
  for (const { path, sizeBytes, linkTarget } of files) {
    const link = linkTarget === '' ? '' : ` -> ${printable(linkTarget)}`;
    out.line(`  ${printable(path)}${link}  ${out.paint('dim', formatSize(sizeBytes))}`);
  }
  if (files.length < app.fileCount) out.line(out.paint('dim', `  and ${app.fileCount - files.length} more`));
}

/** One line for each: `✖ metadata.json: containerPort must be …  (metadata.invalid_value)`. */
export function showFindings(out: Output, findings: readonly Finding[], before = ''): void {
  for (const finding of findings) {
    const mark = isError(finding) ? out.paint('red', 'error') : out.paint('yellow', wordOf(finding));
    const where = finding.path === '' ? '' : `${printable(finding.path)}: `;
    const rule = out.paint('dim', `(${finding.rule})`);
    out.line(`${mark} ${before}${where}${printable(finding.message)} ${rule}`);
  }
}

function isError({ severity }: Finding): boolean {
  return severity === FindingSeverity.ERROR;
}

function wordOf({ severity }: Finding): string {
  return severity === FindingSeverity.WARNING ? 'warning' : 'note';
}
