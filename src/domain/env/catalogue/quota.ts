import { BerthError } from '../../errors.js';
import type { FolderSurvey } from '../app/survey.js';

/** What a tenant's uploads may take together. */
export interface AppQuota {
  /** Apps that it can name. */
  maxTenantApps: number;
  /** Of all versions that are kept of them. */
  maxTenantAppBytes: number;
}

export interface HeldApps {
  apps: number;
  bytes: number;
}

/** What an entry costs besides its content, so that empty files are not for nothing. */
const ENTRY_BYTES = 2048;

/** What a version counts for in its tenant's quota. */
export function quotaBytes({ files, folders, sizeBytes }: FolderSurvey): number {
  return sizeBytes + (files.length + folders.size) * ENTRY_BYTES;
}

/**
 * @param held by the tenant now
 * @param added by the upload
 * @throws APP_QUOTA naming each limit that would be passed
 */
export function refuseBeyond(quota: AppQuota, tenant: string, held: HeldApps, added: HeldApps): void {
  const { maxTenantApps, maxTenantAppBytes } = quota;
  const short: string[] = [];
  if (held.apps + added.apps > maxTenantApps) {
    short.push(`${held.apps} apps of at most ${maxTenantApps} are stored (env.maxTenantApps)`);
  }
  if (held.bytes + added.bytes > maxTenantAppBytes) {
    short.push(
      `${held.bytes} bytes of at most ${maxTenantAppBytes} are taken, and the app needs ${added.bytes} (env.maxTenantAppBytes)`,
    );
  }
  if (short.length === 0) return;
  throw new BerthError(
    'APP_QUOTA',
    `tenant ${tenant} may not store more: ${short.join('; ')}. Delete apps that are not needed (DeleteApp); what was ` +
      'replaced counts until no env mounts it, and ten minutes longer',
    { quota: short.map((description) => ({ subject: `apps of tenant ${tenant}`, description })) },
  );
}
