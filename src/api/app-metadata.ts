import {
  AppMetadata as AppMetadataMessage,
  type AppMetadata,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import type { AppMetadata as Metadata } from '../domain/env/app/metadata.js';

/** `metadata.json` as the contract has it: what the file leaves out stays unset, its defaults are the daemon's. */
export function toMetadataMessage(metadata: Metadata): AppMetadata {
  const { startCommand, healthCheck, database, limits, volumes, ...same } = metadata;
  return AppMetadataMessage.fromPartial({
    ...same,
    ...(Array.isArray(startCommand) ? { startArgv: startCommand } : { startCommand }),
    healthCheck: healthCheck && { ...healthCheck },
    database: database && { ...database },
    limits: limits && { ...limits },
    volumes: volumes.map((volume) => ({ ...volume })),
  });
}
