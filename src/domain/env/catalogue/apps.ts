import { invalid, isBerthError, type FieldViolation } from '../../errors.js';
import type { Finding } from '../../finding.js';
import { callerIdViolation } from '../../ids.js';
import { decodePageToken, encodePageToken } from '../../page-token.js';
import { Turns } from '../../../lib/turns.js';
import type { ActiveOperations } from '../active-operations.js';
import { type AppMetadata, parseMetadata } from '../app/metadata.js';
import { readMetadata } from '../app/folder.js';
import { digestOfFolder, type FolderSurvey, type SurveyedFile } from '../app/survey.js';
import type { EnvServices } from '../env-services.js';
import { KeyedLock } from '../keyed-lock.js';
import type { Page } from '../store.js';
import { checkAppFolder } from './app-check.js';
import { AppDeletions, type AppDeletion } from './deletions.js';
import { DigestCache } from './digest-cache.js';
import { appIds, findAppFolder } from './places.js';
import { AppUploads, type AppUpload } from './uploads.js';
import { AppVersions } from './versions.js';

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 500;
/** Apps that are read at once, for all callers together: each may have thousands of files. */
const MAX_READS = 4;

/** An app that a tenant can name. */
export interface App {
  appId: string;
  /** Empty where it cannot be told, see `findings`. */
  digest: string;
  /** Undefined: missing, or it breaks a rule. */
  metadata: AppMetadata | undefined;
  sizeBytes: number;
  fileCount: number;
  /** Milliseconds since the epoch. */
  updatedAt: number;
  /** Whether it could be deployed. */
  valid: boolean;
  findings: Finding[];
}

export interface ListApps {
  tenant: string;
  /** Empty: any. */
  runtime: string;
  /** 0: 50; at most 500. */
  pageSize: number;
  pageToken: string;
}

/**
 * The apps that can be deployed by id: the operator's folders under the apps path, which are everybody's, and what each
 * tenant uploaded, which is its own and comes before an operator's app of the same id.
 */
export class Apps {
  readonly #versions: AppVersions;
  readonly #uploads: AppUploads<App>;
  readonly #deletions: AppDeletions;
  readonly #digests = new DigestCache();
  readonly #reads = new Turns(MAX_READS);

  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
  ) {
    this.#versions = new AppVersions(services.config, () => services.clock.now());
    const locks = new KeyedLock();
    this.#deletions = new AppDeletions(services, this.#versions, locks, () => this.#mounts());
    this.#uploads = new AppUploads(
      services,
      this.#versions,
      locks,
      async (name) => (await this.#read(name, new AbortController().signal)).app,
    );
  }

  /** Stores an app from an archive. @throws as AppUploads.upload */
  upload(request: AppUpload, data: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<App> {
    return this.#uploads.upload(request, data, signal);
  }

  /** Removes what a tenant uploaded under an id. @throws as AppDeletions.delete */
  delete(request: AppDeletion, signal: AbortSignal): Promise<void> {
    return this.#deletions.delete(request, signal);
  }

  /** One app, and all its files. @throws INVALID_ARGUMENT, APP_NOT_FOUND */
  async get(
    name: { tenant: string; appId: string },
    signal: AbortSignal,
  ): Promise<{ app: App; files: SurveyedFile[] }> {
    refuse(callerIdViolation('tenant', name.tenant), callerIdViolation('app_id', name.appId));
    return await this.#read(name, signal);
  }

  /** Apps by id. One that is wrong is listed with its findings. @throws INVALID_ARGUMENT, PAGE_TOKEN_INVALID */
  async list({ tenant, runtime, pageSize, pageToken }: ListApps, signal: AbortSignal): Promise<Page<App>> {
    const isSize = Number.isInteger(pageSize) && pageSize >= 0 && pageSize <= MAX_PAGE_SIZE;
    refuse(
      callerIdViolation('tenant', tenant),
      isSize ? undefined : { field: 'page_size', rule: `must be from 0 to ${MAX_PAGE_SIZE}` },
    );
    const query = ['ListApps', tenant, runtime];
    const after = decodePageToken(pageToken, query)?.id ?? '';
    const most = pageSize || DEFAULT_PAGE_SIZE;
    const items: App[] = [];
    for (const appId of await appIds(this.services.config, tenant)) {
      if (appId <= after) continue;
      signal.throwIfAborted();
      if (runtime !== '' && (await this.#runtimeOf({ tenant, appId })) !== runtime) continue;
      if (items.length === most) {
        const last = items.at(-1)?.appId ?? '';
        return { items, nextPageToken: encodePageToken({ createdAt: 0, id: last }, query) };
      }
      const found = await this.#read({ tenant, appId }, signal).catch(onlyIfThere);
      if (found) items.push(found.app);
    }
    return { items, nextPageToken: '' };
  }

  /** Removes versions of uploads that are not deployed any more and that no env mounts. */
  async sweep(): Promise<void> {
    const removed = await this.#versions.sweep(new Set((await this.#mounts()).keys()));
    if (removed.length > 0)
      this.services.logger.info({ removed }, 'removed versions of apps that nothing uses');
  }

  /** Removes what uploads of an earlier life left half-way. Call it at boot, before any upload. */
  clear(): Promise<void> {
    return this.#uploads.clear();
  }

  /** Resolves when no upload is under way any more. */
  settled(): Promise<void> {
    return this.#uploads.settled();
  }

  /** Folders of apps, and the envs that mount them, or whose deployments under way are about to. */
  async #mounts(): Promise<Map<string, string[]>> {
    const mounts = new Map<string, string[]>();
    const add = (folder: string, envId: string): void => {
      const envs = mounts.get(folder) ?? [];
      if (!envs.includes(envId)) mounts.set(folder, [...envs, envId]);
    };
    for (const env of await this.services.store.listLive()) add(env.appDirectory, env.id);
    for (const { run } of this.active.all()) {
      const source = run.context.deployment?.app.source;
      if (source?.kind === 'folder') add(source.path, run.operation.envId);
    }
    return mounts;
  }

  async #read(
    name: { tenant: string; appId: string },
    signal: AbortSignal,
  ): Promise<{ app: App; files: SurveyedFile[] }> {
    const { path } = await findAppFolder(this.services.config, name);
    const release = await this.#reads.take(signal);
    try {
      const { metadata, survey, findings } = await checkAppFolder(this.services, path);
      const app: App = {
        appId: name.appId,
        digest: await this.#digestOf(path, survey),
        metadata,
        sizeBytes: survey.sizeBytes,
        fileCount: survey.files.length,
        updatedAt: survey.updatedAt,
        valid: findings.every(({ severity }) => severity !== 'error'),
        findings,
      };
      return { app, files: survey.files };
    } finally {
      release();
    }
  }

  async #digestOf(path: string, survey: FolderSurvey): Promise<string> {
    if (survey.violations.length > 0) return '';
    const { config, clock } = this.services;
    return await this.#digests.of(path, survey, clock.now(), () => digestOfFolder(path, survey, config));
  }

  /** Of the metadata alone, which is enough to leave an app out. */
  async #runtimeOf(name: { tenant: string; appId: string }): Promise<string | undefined> {
    try {
      const { path } = await findAppFolder(this.services.config, name);
      return parseMetadata(await readMetadata(path)).runtimeType;
    } catch (error) {
      if (isBerthError(error, 'APP_INVALID')) return undefined;
      return onlyIfThere(error);
    }
  }
}

/** An app may go, or its folder be no folder, while the list is made: then it is not in it. */
function onlyIfThere(error: unknown): undefined {
  if (!isBerthError(error, 'APP_NOT_FOUND') && !isMissing(error)) throw error;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function refuse(...violations: (FieldViolation | undefined)[]): void {
  const broken = violations.filter((violation) => violation !== undefined);
  if (broken.length > 0) throw invalid(...broken);
}
