/** A deployment is ready when the app answers HTTP (`http`), or as soon as it is started (`started`: a CLI). */
export type ReadinessStrategy = 'http' | 'started';

/**
 * How apps of one kind run. A runtime is one file that exports one of these, and its line in `registry.ts`.
 * All methods are pure.
 */
export interface Runtime {
  /** `runtimeType` in metadata.json. */
  readonly name: string;
  /** Image when metadata names none. */
  readonly defaultImage: string;
  /** Port the app listens on when metadata names none; undefined: without `containerPort` the app is a CLI. */
  readonly defaultContainerPort: number | undefined;
  /** Where the app folder is mounted, read-only. */
  readonly mountPath: string;
  readonly workingDir: string;
  /**
   * Command when metadata names none, from the files at the top of the app folder.
   * Undefined when it cannot be told: `startCommand` is needed then.
   */
  defaultCommand(topLevelFiles: ReadonlySet<string>): string[] | undefined;
  /** Variables of the runtime itself. `containerPort` is undefined for a CLI. */
  environment(containerPort: number | undefined): Record<string, string>;
  /** Docker's health check for a web app as `['CMD', …]`, with what the image has (slim images have no curl). */
  healthCheck(url: string): string[];
  readiness(containerPort: number | undefined): ReadinessStrategy;
  /**
   * What the image's own program needs to give up root by itself, such as `SETUID`; default: none. Only what the compose
   * subset allows.
   */
  readonly capabilities?: readonly string[];
}

/** The first of `names` that is there, for default commands. */
export function firstOf(names: readonly string[], files: ReadonlySet<string>): string | undefined {
  return names.find((name) => files.has(name));
}
