import {
  FindingSeverity,
  FileType,
  type FileEntry,
  type Finding as FindingMessage,
} from '../../clients/typescript/src/gen/berth/v1/common.js';
import {
  ArchiveFormat,
  DeployEnvRequest,
  OperationOutcome,
  type App as AppMessage,
  type EnvServiceServer,
  type UploadAppHeader,
  type UploadAppRequest,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import type { SurveyedFile } from '../domain/env/app/survey.js';
import type { App } from '../domain/env/catalogue/apps.js';
import type { AppUpload } from '../domain/env/catalogue/uploads.js';
import type { DryRunResult } from '../domain/env/dry-run.js';
import type { EnvOperations } from '../domain/env/operations.js';
import { invalid } from '../domain/errors.js';
import type { Finding } from '../domain/finding.js';
import { unlessAborted } from '../lib/unless-aborted.js';
import type { Logger } from '../telemetry/logger.js';
import { toMetadataMessage } from './app-metadata.js';
import { clientStream, unary, type CallContext } from './calls.js';
import { toDeployRequest } from './deploy-request.js';

const MAX_LISTED_FILES = 1_000;

type AppMethods = Pick<EnvServiceServer, 'listApps' | 'getApp' | 'uploadApp' | 'deleteApp' | 'renderApp'>;

/** The methods of EnvService that are about apps. */
export function appMethods({ apps, dryRun }: EnvOperations, logger: Logger): AppMethods {
  const upload = async (
    requests: AsyncIterable<UploadAppRequest>,
    { tenant, signal }: CallContext,
  ): Promise<{ app: AppMessage }> => {
    const messages = requests[Symbol.asyncIterator]();
    const header = await unlessAborted(headerOf(messages), signal);
    return { app: toApp(await apps.upload(toUpload(header, tenant), dataOf(messages), signal)) };
  };
  return {
    listApps: unary(logger, async ({ runtime, pageSize, pageToken }, { tenant, signal }) => {
      const page = await apps.list({ tenant, runtime, pageSize, pageToken }, signal);
      return { apps: page.items.map(toApp), nextPageToken: page.nextPageToken };
    }),
    getApp: unary(logger, async ({ appId }, { tenant, signal }) => {
      const { app, files } = await apps.get({ tenant, appId }, signal);
      return { app: toApp(app), files: files.slice(0, MAX_LISTED_FILES).map(toFileEntry) };
    }),
    uploadApp: clientStream(logger, upload),
    deleteApp: unary(logger, async ({ requestId, appId }, { tenant, signal }) => {
      await apps.delete({ tenant, requestId, appId }, signal);
      return {};
    }),
    renderApp: unary(logger, async ({ deploy }, { tenant, signal }) => {
      const request = toDeployRequest(deploy ?? DeployEnvRequest.fromPartial({}), tenant);
      return toRendered(await dryRun.of(request, signal));
    }),
  };
}

async function headerOf(messages: AsyncIterator<UploadAppRequest>): Promise<UploadAppHeader> {
  const first = await messages.next();
  const request = first.done === true ? undefined : first.value.request;
  if (request?.$case === 'header') return request.value;
  throw invalid({ field: 'header', rule: 'must be the first message' });
}

async function* dataOf(messages: AsyncIterator<UploadAppRequest>): AsyncGenerator<Uint8Array> {
  for (;;) {
    const next = await messages.next();
    if (next.done === true) return;
    const { request } = next.value;
    if (request?.$case !== 'data')
      throw invalid({ field: 'data', rule: 'must be in every message but the first' });
    yield request.value;
  }
}

const FORMATS: Partial<Record<ArchiveFormat, AppUpload['format']>> = {
  [ArchiveFormat.TAR]: 'tar',
  [ArchiveFormat.TAR_GZ]: 'tar.gz',
  [ArchiveFormat.ZIP]: 'zip',
};

function toUpload(header: UploadAppHeader, tenant: string): AppUpload {
  const format = FORMATS[header.format];
  if (format === undefined && header.format !== ArchiveFormat.UNSPECIFIED) {
    throw invalid({ field: 'header.format', rule: 'must be a format of an archive' });
  }
  const { requestId, appId, sizeBytes, sha256, replace } = header;
  return { tenant, requestId, appId, format, sizeBytes, sha256, replace };
}

function toApp(app: App): AppMessage {
  return {
    appId: app.appId,
    digest: app.digest,
    metadata: app.metadata && toMetadataMessage(app.metadata),
    sizeBytes: app.sizeBytes,
    fileCount: app.fileCount,
    updateTime: new Date(app.updatedAt),
    valid: app.valid,
    findings: app.findings.map(toFinding),
  };
}

const FILE_TYPES: Record<SurveyedFile['kind'], FileType> = {
  file: FileType.FILE,
  link: FileType.SYMLINK,
  other: FileType.OTHER,
};

function toFileEntry({ path, kind, sizeBytes, mode, modifiedAt, linkTarget }: SurveyedFile): FileEntry {
  const modifyTime = new Date(modifiedAt);
  return { path, type: FILE_TYPES[kind], sizeBytes, mode, modifyTime, linkTarget };
}

const SEVERITIES: Record<Finding['severity'], FindingSeverity> = {
  info: FindingSeverity.INFO,
  warning: FindingSeverity.WARNING,
  error: FindingSeverity.ERROR,
};

function toFinding({ severity, ...finding }: Finding): FindingMessage {
  return { ...finding, severity: SEVERITIES[severity], line: 0, column: 0 };
}

const OUTCOMES: Record<DryRunResult['outcome'], OperationOutcome> = {
  unknown: OperationOutcome.UNSPECIFIED,
  created: OperationOutcome.CREATED,
  unchanged: OperationOutcome.UNCHANGED,
  started: OperationOutcome.STARTED,
  replaced: OperationOutcome.REPLACED,
};

function toRendered({ composeYaml, findings, steps, deployable, appDigest, outcome }: DryRunResult) {
  return {
    composeYaml,
    findings: findings.map(toFinding),
    steps,
    deployable,
    appDigest,
    outcome: OUTCOMES[outcome],
  };
}
