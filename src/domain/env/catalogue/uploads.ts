import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, invalid, isBerthError, type FieldViolation } from '../../errors.js';
import type { Finding } from '../../finding.js';
import { callerIdViolation, newId } from '../../ids.js';
import { RequestReplay } from '../../request-replay.js';
import { METADATA_FILE } from '../app/metadata.js';
import { digestOfFolder, type FolderSurvey } from '../app/survey.js';
import type { EnvServices } from '../env-services.js';
import type { KeyedLock } from '../keyed-lock.js';
import { requestIdViolation } from '../requests.js';
import { checkAppFolder } from './app-check.js';
import type { ArchiveFormat } from './archive/format.js';
import { unpackArchive } from './archive/unpack.js';
import { asAppsError, findAppFolder, incomingPath, type AppFolder, type AppName } from './places.js';
import { quotaBytes, refuseBeyond } from './quota.js';
import { MAX_ARCHIVE_BYTES, spool, type SpoolTimes } from './spool.js';
import type { AppVersions } from './versions.js';

/** Uploads at once; each may hold an archive and what it unpacks to on disk. */
const MAX_AT_ONCE = 8;
/** Of them, those of one tenant: slow ones of its own must not keep all others out. */
const MAX_AT_ONCE_OF_TENANT = 6;

export interface AppUpload {
  tenant: string;
  /** Replay protection; empty: none. */
  requestId: string;
  appId: string;
  /** Undefined: found out. */
  format: ArchiveFormat | undefined;
  /** 0: not known beforehand. */
  sizeBytes: number;
  /** In hex; empty: not checked. */
  sha256: string;
  /** Whether an app of this id may be there already. */
  replace: boolean;
}

/**
 * Takes apps as archives. An archive is written to a file as it arrives, unpacked beside it, checked as a deployment would
 * check it, and only then made the app's current version, in one step; whatever fails before that leaves nothing. What has
 * arrived whole is stored even when the caller is gone by then, and a repeat of the request id gets that answer.
 */
export class AppUploads<App> {
  readonly #replay = new RequestReplay<App>();
  /** And whose they are. */
  readonly #underWay = new Map<Promise<App>, string>();

  constructor(
    private readonly services: EnvServices,
    private readonly versions: AppVersions,
    private readonly locks: KeyedLock,
    /** What is answered of a stored app. */
    private readonly answer: (name: AppName) => Promise<App>,
    private readonly times?: SpoolTimes,
  ) {}

  /**
   * Resolves to the stored app.
   * @throws INVALID_ARGUMENT, ARCHIVE_INVALID, APP_INVALID, APP_EXISTS, APP_QUOTA, APPS_FOLDER, UPLOAD_STALLED, OVERLOADED,
   * REQUEST_ID_REUSED, or the signal's reason while it arrives
   */
  async upload(request: AppUpload, data: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<App> {
    check(request);
    this.#admit(request.tenant);
    const work = this.#upload(request, data, signal).catch((error: unknown) => {
      throw asAppsError(error, this.services.config.appsPath) as Error;
    });
    this.#underWay.set(work, request.tenant);
    return await work.finally(() => this.#underWay.delete(work));
  }

  /** Removes what uploads of an earlier life left half-way. */
  async clear(): Promise<void> {
    await rm(incomingPath(this.services.config), { recursive: true, force: true });
  }

  /** Resolves when no upload is under way any more; those whose callers are gone end at once, or store what came whole. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay.keys());
  }

  /** @throws OVERLOADED */
  #admit(tenant: string): void {
    const own = [...this.#underWay.values()].filter((other) => other === tenant).length;
    const refuse = (most: number, whose: string): BerthError =>
      new BerthError('OVERLOADED', `${most} apps${whose} are being uploaded already; try again in a moment`, {
        quota: [{ subject: `uploads of apps${whose}`, description: `${most} at once` }],
        retryAfterMs: 5_000,
      });
    if (own >= MAX_AT_ONCE_OF_TENANT) throw refuse(MAX_AT_ONCE_OF_TENANT, ` of tenant ${tenant}`);
    if (this.#underWay.size >= MAX_AT_ONCE) throw refuse(MAX_AT_ONCE, '');
  }

  async #upload(request: AppUpload, data: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<App> {
    const scope = `${request.tenant}\nUploadApp`;
    // What is no repeat need not be sent in vain.
    if (!(await this.#isRepeat(scope, request))) {
      await this.#refuseExisting(request);
      await this.#refuseBeyondQuota(request, 0);
    }
    const directory = join(incomingPath(this.services.config), newId('app'));
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const archive = join(directory, 'archive');
      const sha256 = await spool(archive, data, request, signal, this.times);
      const digest = digestOf(request, sha256);
      // From here on it belongs to the daemon.
      const untilStored = new AbortController().signal;
      return await this.#replay.run({ scope, requestId: request.requestId, digest }, untilStored, () =>
        this.locks.run(uploadLock(request), async () => {
          await this.#store(request, directory, digest);
          return await this.answer(request);
        }),
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async #store(request: AppUpload, directory: string, requestDigest: string): Promise<void> {
    const { config, clock, logger } = this.services;
    const { tenant, appId, requestId, format } = request;
    const current = await this.versions.current(request);
    if (current && requestId !== '' && current.requestId === requestId) {
      if (current.requestDigest === requestDigest) return;
      throw new BerthError(
        'REQUEST_ID_REUSED',
        `request_id ${requestId} uploaded another archive before; use a new id`,
      );
    }
    await this.#refuseExisting(request);
    const unpacked = join(directory, 'app');
    await unpackArchive(join(directory, 'archive'), unpacked, format, config);
    const { survey, findings } = await checkAppFolder(this.services, unpacked);
    refuseErrors(findings, survey);
    const digest = await digestOfFolder(unpacked, survey, config);
    if (current?.digest === digest) return;
    const bytes = quotaBytes(survey);
    const record = { digest, uploadedAt: clock.now(), requestId, requestDigest, bytes };
    await this.locks.run(quotaLock(tenant), async () => {
      await this.#refuseBeyondQuota(request, bytes);
      await this.versions.publish(request, unpacked, record);
    });
    logger.info({ event: 'app_uploaded', tenant, app: appId, digest }, 'an app was uploaded');
  }

  async #isRepeat(scope: string, request: AppUpload): Promise<boolean> {
    const { requestId } = request;
    if (requestId === '') return false;
    return (
      this.#replay.isKnown({ scope, requestId }) ||
      (await this.versions.current(request))?.requestId === requestId
    );
  }

  async #refuseExisting(request: AppUpload): Promise<void> {
    if (request.replace) return;
    const there = await this.#find(request);
    if (!there) return;
    const whose = there.origin === 'upload' ? 'was uploaded before' : "is one of the operator's";
    throw new BerthError(
      'APP_EXISTS',
      `app "${request.appId}" ${whose}: upload it with \`replace\`, or under another id`,
      { resource: { type: 'app', name: request.appId } },
    );
  }

  /** @param bytes of the new version; 0: not known yet */
  async #refuseBeyondQuota(request: AppUpload, bytes: number): Promise<void> {
    const { tenant } = request;
    const apps = (await this.versions.current(request)) === undefined ? 1 : 0;
    refuseBeyond(this.services.config, tenant, await this.versions.heldBy(tenant), { apps, bytes });
  }

  async #find(request: AppUpload): Promise<AppFolder | undefined> {
    try {
      return await findAppFolder(this.services.config, request);
    } catch (error) {
      if (isBerthError(error, 'APP_NOT_FOUND')) return undefined;
      throw error;
    }
  }
}

/** Held while one app of a tenant is changed. No tenant has a slash in its name. */
export function uploadLock({ tenant, appId }: AppName): string {
  return `${tenant}/${appId}`;
}

/** Held while a tenant's quota is looked at and used. */
function quotaLock(tenant: string): string {
  return tenant;
}

function check({ tenant, appId, requestId, sizeBytes, sha256 }: AppUpload): void {
  const violations: (FieldViolation | undefined)[] = [
    callerIdViolation('tenant', tenant),
    callerIdViolation('header.app_id', appId),
    requestIdViolation(requestId, 'header.request_id'),
  ];
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > MAX_ARCHIVE_BYTES) {
    violations.push({ field: 'header.size_bytes', rule: `must be from 0 to ${MAX_ARCHIVE_BYTES}` });
  }
  if (!/^([0-9a-fA-F]{64})?$/.test(sha256)) {
    violations.push({ field: 'header.sha256', rule: 'must be 64 hex digits, or empty' });
  }
  const broken = violations.filter((violation) => violation !== undefined);
  if (broken.length > 0) throw invalid(...broken);
}

function digestOf({ appId, format, replace }: AppUpload, archiveSha256: string): string {
  return createHash('sha256')
    .update(JSON.stringify([appId, format ?? '', replace, archiveSha256]))
    .digest('hex');
}

/** @throws APP_INVALID naming every rule that is broken */
function refuseErrors(findings: readonly Finding[], survey: FolderSurvey): void {
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  const inner = survey.files.find(({ path }) => /^[^/]+\/metadata\.json$/.test(path));
  const isAbove = inner !== undefined && !survey.topLevelFiles.has(METADATA_FILE);
  const hint = isAbove ? ` (there is ${inner.path}: pack what is in that folder, not the folder)` : '';
  const text = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  throw new BerthError(
    'APP_INVALID',
    `the app could not be deployed, so nothing of it was kept: ${text}${hint}`,
    {
      violations: errors.map(({ path, field, message }) => ({
        field:
          [path, ...(field === '' ? [] : field.split('.'))].filter((part) => part !== '').join('/') || 'app',
        rule: `${message}${hint}`,
      })),
    },
  );
}
