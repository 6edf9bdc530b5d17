import { BerthError } from '../errors.js';
import { javaRuntime } from './java.js';
import { nginxRuntime } from './nginx.js';
import { nodeRuntime } from './node.js';
import { pythonRuntime } from './python.js';
import type { Runtime } from './runtime.js';

/** The runtimes that Berth comes with. A new one is its file and a line here. */
export const BUILT_IN_RUNTIMES: readonly Runtime[] = [javaRuntime, nginxRuntime, nodeRuntime, pythonRuntime];

/** Runtimes by their name in metadata.json. */
export class RuntimeRegistry {
  readonly #byName: ReadonlyMap<string, Runtime>;

  constructor(runtimes: readonly Runtime[] = BUILT_IN_RUNTIMES) {
    this.#byName = new Map(runtimes.map((runtime) => [runtime.name, runtime]));
  }

  /** @throws RUNTIME_UNKNOWN naming those that exist */
  get(name: string): Runtime {
    const runtime = this.#byName.get(name);
    if (runtime) return runtime;
    const rule = `must be one of: ${[...this.#byName.keys()].sort().join(', ')}`;
    throw new BerthError(
      'RUNTIME_UNKNOWN',
      `metadata.json: no runtime is called "${name}"; runtimeType ${rule}`,
      {
        violations: [{ field: 'metadata.json/runtimeType', rule }],
      },
    );
  }
}
