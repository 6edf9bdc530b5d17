import { checkMetadata } from './app/metadata.js';
import { loadFromFolder } from './app/folder.js';
import { findAppFolder } from './catalogue/places.js';
import { loadFromRequest } from './app/request-files.js';
import { resolveSpec } from './app/spec.js';
import type { EnvServices } from './env-services.js';
import { digestOfDeployment, type DeployRequest } from './requests.js';
import type { Deployment } from './steps/context.js';

/** Reads and checks what a request wants deployed. Nothing is touched: whatever is wrong with an app is said before. */
export class DeployPreparation {
  constructor(private readonly services: EnvServices) {}

  /**
   * @param request checked already
   * @throws APP_NOT_FOUND, APP_INVALID, RUNTIME_UNKNOWN, NOT_BUILT, INVALID_ARGUMENT (files)
   */
  async prepare(request: DeployRequest): Promise<Deployment> {
    const { config, runtimes, databases } = this.services;
    const metadata = request.metadata && checkMetadata(request.metadata);
    const app =
      request.files.length > 0
        ? loadFromRequest(request.files, metadata, config)
        : await loadFromFolder((await findAppFolder(config, request)).path, metadata, config);
    const runtime = runtimes.get(app.metadata.runtimeType);
    const database = databases.select(app.metadata.database);
    const options = {
      environment: request.environment,
      readyTimeoutMs: request.readyTimeoutMs || undefined,
    };
    const spec = resolveSpec(app, runtime, options, config);
    // Seed 003: who brings a database up with its own containers does not wait for Docker's health of the app as well.
    if (database && !database.awaitsAppHealth && spec.readiness.wait === 'health')
      spec.readiness.wait = 'http';
    return {
      app,
      digest: digestOfDeployment(app.digest, request),
      spec,
      database,
    };
  }
}
