import { BerthError, invalid } from '../../errors.js';
import { callerIdViolation } from '../../ids.js';
import { RequestReplay } from '../../request-replay.js';
import type { EnvServices } from '../env-services.js';
import type { KeyedLock } from '../keyed-lock.js';
import { requestIdViolation } from '../requests.js';
import { asAppsError, findAppFolder, type AppName } from './places.js';
import { uploadLock } from './uploads.js';
import type { AppVersions } from './versions.js';

export interface AppDeletion extends AppName {
  /** Replay protection; empty: none. */
  requestId: string;
}

/** Ids of envs that an error names. */
const MOST_NAMED = 10;

/**
 * Removes uploaded apps with all their versions. An app that an env has is refused, and so is the operator's. A deployment
 * that has read the app just now and is not committed yet does not hold it: it fails when it comes to mount it.
 */
export class AppDeletions {
  readonly #replay = new RequestReplay<void>();

  constructor(
    private readonly services: EnvServices,
    private readonly versions: AppVersions,
    private readonly locks: KeyedLock,
    /** Folders of apps, and the envs that have them or are about to. */
    private readonly mounts: () => Promise<ReadonlyMap<string, readonly string[]>>,
  ) {}

  /** @throws INVALID_ARGUMENT, APP_NOT_FOUND, APP_IN_USE, APP_OF_OPERATOR, APPS_FOLDER, REQUEST_ID_REUSED */
  async delete({ tenant, appId, requestId }: AppDeletion, signal: AbortSignal): Promise<void> {
    const violations = [
      callerIdViolation('tenant', tenant),
      callerIdViolation('app_id', appId),
      requestIdViolation(requestId),
    ].filter((violation) => violation !== undefined);
    if (violations.length > 0) throw invalid(...violations);
    const request = { scope: `${tenant}\nDeleteApp`, requestId, digest: appId };
    await this.#replay.run(request, signal, () =>
      this.locks.run(uploadLock({ tenant, appId }), () => this.#delete({ tenant, appId })),
    );
  }

  async #delete(name: AppName): Promise<void> {
    const { config, logger } = this.services;
    const resource = { type: 'app', name: name.appId };
    const { origin } = await findAppFolder(config, name);
    if (origin === 'operator') {
      throw new BerthError(
        'APP_OF_OPERATOR',
        `app "${name.appId}" is one of the operator's, which the API does not change: its folder is in ${config.appsPath}`,
        { resource },
      );
    }
    const versions = new Set(await this.versions.foldersOf(name));
    const users = [...(await this.mounts())].filter(([path]) => versions.has(path)).flatMap(([, ids]) => ids);
    if (users.length > 0) {
      const named = users.slice(0, MOST_NAMED).join(', ') + (users.length > MOST_NAMED ? ', …' : '');
      throw new BerthError(
        'APP_IN_USE',
        `app "${name.appId}" is what ${users.length} envs run (${named}): destroy them first, or deploy them from another app`,
        { resource },
      );
    }
    try {
      await this.versions.remove(name);
    } catch (error) {
      throw asAppsError(error, config.appsPath);
    }
    logger.info(
      { event: 'app_deleted', tenant: name.tenant, app: name.appId },
      'an uploaded app was deleted',
    );
  }
}
