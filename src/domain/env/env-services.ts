import { DatabaseProviderRegistry } from '../database/provider.js';
import { PortAllocator } from '../ports/allocator.js';
import { SubnetPlan } from '../ports/subnets.js';
import { RuntimeRegistry } from '../runtime/registry.js';
import type { EnvClock } from './clock.js';
import type { EnvConfig } from './config.js';
import type { DeployerDeps } from './deployer.js';
import type { EnvEngine } from './engine.js';
import { EnvEventLog } from './event-log.js';
import { KeyedLock } from './keyed-lock.js';
import type { Logger } from '../../telemetry/logger.js';
import { hostResources, type HostResources } from './host-resources.js';
import type { TemplateRenderer } from './steps/context.js';
import type { EnvStore, LeaseStore, PortStore } from './store.js';

/** What the env domain is put together from. */
export interface EnvDomainOptions {
  store: EnvStore;
  ports: PortStore;
  leases: LeaseStore;
  engine: EnvEngine;
  templates: TemplateRenderer;
  config: EnvConfig;
  logger: Logger;
  /** Default: the built-in ones. */
  runtimes?: RuntimeRegistry;
  /** Default: none. */
  databases?: DatabaseProviderRegistry;
  /** Whether a port can be bound; default: by binding it. */
  canBind?: (host: string, port: number) => Promise<boolean>;
  clock?: EnvClock;
  /** Default: this host, with Docker on it. */
  resources?: HostResources;
}

/** What the parts of the env domain share. */
export interface EnvServices extends DeployerDeps {
  leases: LeaseStore;
  resources: HostResources;
  runtimes: RuntimeRegistry;
  /** By env key: decisions about one env are made one after the other. */
  locks: KeyedLock;
}

export function buildServices(options: EnvDomainOptions): EnvServices {
  const { config, store } = options;
  const range = { first: config.portFirst, last: config.portLast };
  return {
    store,
    events: new EnvEventLog(store),
    leases: options.leases,
    resources: options.resources ?? hostResources(true),
    engine: options.engine,
    ports: new PortAllocator(options.ports, range, config.bindHost, options.canBind),
    subnets: new SubnetPlan(config.subnets, config.portFirst),
    templates: options.templates,
    config,
    logger: options.logger,
    runtimes: options.runtimes ?? new RuntimeRegistry(),
    databases: options.databases ?? new DatabaseProviderRegistry(),
    clock: options.clock ?? Date,
    locks: new KeyedLock(),
  };
}
