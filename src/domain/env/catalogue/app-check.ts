import type { Finding } from '../../finding.js';
import { appInvalid, parseMetadata, type AppMetadata } from '../app/metadata.js';
import { readMetadata } from '../app/folder.js';
import { resolveSpec } from '../app/spec.js';
import { surveyFolder, type FolderSurvey } from '../app/survey.js';
import type { EnvServices } from '../env-services.js';
import { gather } from './findings.js';

export type CheckServices = Pick<EnvServices, 'config' | 'runtimes' | 'databases'>;

export interface CheckedApp {
  /** Undefined: missing, or it breaks a rule. */
  metadata: AppMetadata | undefined;
  survey: FolderSurvey;
  /** All of them, not the first only. */
  findings: Finding[];
}

/**
 * Everything that a deployment of an app's folder would be refused for, whoever asked for it: the same checks as
 * `DeployPreparation`, none of which stops the others.
 */
export async function checkAppFolder(services: CheckServices, path: string): Promise<CheckedApp> {
  const { config, runtimes, databases } = services;
  const findings: Finding[] = [];
  const metadata = await gather(findings, async () => parseMetadata(await readMetadata(path)));
  const survey = await surveyFolder(path, config);
  await gather(findings, () => {
    if (survey.violations.length > 0) throw appInvalid(...survey.violations);
  });
  if (metadata) {
    const runtime = await gather(findings, () => runtimes.get(metadata.runtimeType));
    await gather(findings, () => databases.select(metadata.database));
    const { topLevelFiles, folders } = survey;
    const app = {
      metadata,
      topLevelFiles,
      folders,
      digest: '',
      source: { kind: 'files' as const, files: [] },
    };
    if (runtime) await gather(findings, () => resolveSpec(app, runtime, {}, config));
  }
  return { metadata, survey, findings: [...findings, ...linkFindings(survey)] };
}

/** Links work, but inside the container, where most of what is outside the app is not. */
function linkFindings({ files }: FolderSurvey): Finding[] {
  const outside = files.filter(({ path, kind, linkTarget }) => kind === 'link' && leadsOut(path, linkTarget));
  return outside.slice(0, 20).map(({ path, linkTarget }) => ({
    severity: 'warning',
    rule: 'app.link_outside',
    path,
    field: '',
    message: `is a link to ${linkTarget}, which is not in the app: it leads to that path of the container`,
  }));
}

function leadsOut(path: string, target: string): boolean {
  if (target.startsWith('/')) return true;
  let depth = path.split('/').length - 1;
  return target.split('/').some((part) => {
    depth += part === '..' ? -1 : part === '' || part === '.' ? 0 : 1;
    return depth < 0;
  });
}
