import { cp, mkdir, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { atMost } from './at-most.js';
import { CommandError } from './command.js';
import { hashOf, hashOfFiles } from './content-hash.js';
import { buildDebianBase } from './debian-base.js';
import { debianSources, type DebianSuite } from './debian-sources.js';
import { RECIPE_LABEL, SOURCE_LABEL, type DockerCli, type LocalImage } from './docker-cli.js';
import { readHostSettings, type HostSettings } from './host-settings.js';
import {
  DATABASE_IMAGES,
  IMAGE_NAMES,
  RECIPE_FOLDERS,
  SANDBOX_IMAGES,
  isSandboxImage,
  type ImageName,
  type RuntimeImageName,
  type SandboxImageName,
} from './image-names.js';
import { unpackNpmPackage } from './npm-package.js';
import type { PreparedImage } from './prepared-image.js';
import type { ReportProgress } from './progress.js';
import { readRecipe, type Recipe } from './recipe.js';
import { isRunnerSource, runnerBinary } from './runner-binary.js';
import { localProgramSources, type LocalPrograms } from './local-programs.js';
import { makeScratch } from './scratch-directory.js';

export interface ImageBuilderOptions {
  docker: DockerCli;
  cacheDir: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  report: ReportProgress;
  rebuild: boolean;
  /** Holds templates/images and src/runner. */
  root: string;
}

/** Where an image stands: already right, or to be made. */
type Made = Pick<PreparedImage, 'reference' | 'id' | 'source' | 'fresh'>;

/**
 * Prepares images and what they are built on, each once however many others need it.
 * Pulls, bootstraps and builds run two at a time: they are bound by the network and by one core each.
 */
export class ImageBuilder {
  private readonly prepared = new Map<ImageName, Promise<PreparedImage>>();
  private readonly bases = new Map<DebianSuite, Promise<string>>();
  private readonly heavy = atMost(2);
  /** Ids of own images that lost their tag to a newer build, oldest (the bases) first. */
  private readonly replaced: string[] = [];
  private programs: Promise<LocalPrograms> | undefined;
  private hostSettings: Promise<HostSettings> | undefined;
  /** Why the first pull failed before a registry answered; further ones would wait for the same. */
  private noRegistry: string | undefined;

  private constructor(
    private readonly options: ImageBuilderOptions,
    private readonly architecture: string,
    private readonly local: Map<string, LocalImage>,
  ) {}

  static async create(options: ImageBuilderOptions): Promise<ImageBuilder> {
    const [architecture, local] = await Promise.all([
      options.docker.architecture(),
      options.docker.inspect([...IMAGE_NAMES, ...DATABASE_IMAGES, baseTag('bookworm'), baseTag('sid')]).catch(
        // Docker is not there; architecture() rejects with what to do about it.
        (error: unknown) => {
          if (error instanceof CommandError) return new Map<string, LocalImage>();
          throw error;
        },
      ),
    ]);
    return new ImageBuilder(options, architecture, local);
  }

  prepare(name: ImageName): Promise<PreparedImage> {
    return once(this.prepared, name, async () => {
      const startedMs = performance.now();
      this.options.report(name, 'checking');
      const made = isSandboxImage(name) ? await this.sandbox(name) : await this.runtime(name);
      const verb = made.fresh
        ? made.source
        : made.source === 'found'
          ? 'was there'
          : `was ${made.source} before`;
      this.options.report(name, 'ready', made.reference === name ? verb : `${verb}, as ${made.reference}`);
      return { name, ...made, elapsedMs: performance.now() - startedMs };
    });
  }

  /** Removes what newer builds replaced; an image's children go before it. */
  async removeReplaced(): Promise<void> {
    for (const id of this.replaced.splice(0).reverse()) await this.options.docker.removeUnused(id);
  }

  private async runtime(name: RuntimeImageName): Promise<Made> {
    const folder = join(this.options.root, 'templates/images', RECIPE_FOLDERS[name]);
    const recipe = await readRecipe(folder);
    const hash = hashOf({
      base: await this.baseHash(recipe.suite),
      folder: await hashOfFiles(folder),
      architecture: this.architecture,
    });

    for (const reference of new Set([recipe.pull, recipe.tag])) {
      const image = this.local.get(reference);
      if (image === undefined) continue;
      if (image.recipe === undefined) return { reference, id: image.id, source: 'found', fresh: false };
      if (image.recipe === hash && !this.options.rebuild) {
        return { reference, id: image.id, source: 'built', fresh: false };
      }
    }
    if (await this.heavy(() => this.pulls(name, recipe.pull))) {
      return {
        reference: recipe.pull,
        id: await this.options.docker.idOf(recipe.pull),
        source: 'pulled',
        fresh: true,
      };
    }
    const base = await this.base(recipe.suite);
    return this.heavy(() =>
      this.build(name, recipe.tag, hash, base, folder, (context) => this.fetch(name, recipe, context)),
    );
  }

  /** The runner layer on top of an image. Keyed by that image's id too: a newly pulled base gets a new layer. */
  private async sandbox(name: SandboxImageName): Promise<Made> {
    const { on, launchers } = SANDBOX_IMAGES[name];
    const base = await this.prepare(on);
    const folder = join(this.options.root, 'templates/images/sandbox');
    const source = join(this.options.root, 'src/runner');
    const hash = hashOf({
      base: base.id,
      folder: await hashOfFiles(folder),
      runner: await hashOfFiles(source, isRunnerSource),
      launchers: await hashOfFiles(join(source, 'launchers'), (path) => launchers.includes(path)),
      architecture: this.architecture,
    });
    const { runner } = await (this.programs ??= this.compilePrograms(name));
    const image = this.local.get(name);
    if (image?.recipe === hash && !this.options.rebuild) {
      return { reference: name, id: image.id, source: 'built', fresh: false };
    }
    return this.heavy(() =>
      this.build(name, name, hash, base.reference, folder, async (context) => {
        await mkdir(join(context, 'berth/launchers'), { recursive: true });
        await copyFile(runner, join(context, 'berth/runner'));
        for (const file of launchers) {
          await copyFile(join(source, 'launchers', file), join(context, 'berth/launchers', file));
        }
      }),
    );
  }

  /** The runner, and what the local engine needs beside it on the day that Docker is away. */
  private async compilePrograms(forImage: string): Promise<LocalPrograms> {
    const sources = localProgramSources(this.options.root);
    return {
      runner: await this.compile(forImage, sources.runner),
      enclosure: await this.compile(forImage, sources.enclosure),
    };
  }

  private async compile(forImage: string, source: string): Promise<string> {
    const { root, report, docker } = this.options;
    const buildImage = async (fillContext: (context: string) => Promise<void>): Promise<string> => {
      const base = await this.base('bookworm');
      const folder = join(root, 'templates/images/runner-build');
      const made = await this.heavy(() =>
        this.build(forImage, `berth/runner-build:${process.pid}`, 'throw-away', base, folder, fillContext),
      );
      return made.reference;
    };
    return runnerBinary({
      ...this.options,
      source,
      architecture: this.architecture,
      report: (detail) => report(forImage, 'compiling', detail),
      inDocker: { docker, buildImage },
    });
  }

  /** Tag of the Debian base of a suite, after making it if it is missing or its inputs changed. */
  private base(suite: DebianSuite): Promise<string> {
    return once(this.bases, suite, async () => {
      const { docker, report, root } = this.options;
      const tag = baseTag(suite);
      const recipe = await this.baseHash(suite);
      const existing = this.local.get(tag);
      if (existing?.recipe === recipe && !this.options.rebuild) return tag;
      const host = await this.host();
      await this.heavy(() =>
        buildDebianBase({
          ...this.options,
          suite,
          tag,
          recipe,
          architecture: this.architecture,
          sources: debianSources(suite, host.indexTargets, host.isDebian),
          overlay: join(root, 'templates/images/debian/rootfs'),
          network: host.network,
          docker,
          report: (phase, detail) => report(tag, phase, detail),
        }),
      );
      if (existing?.recipe !== undefined) this.replaced.push(existing.id);
      report(tag, 'ready', 'built');
      return tag;
    });
  }

  private async baseHash(suite: DebianSuite): Promise<string> {
    const overlay = await hashOfFiles(join(this.options.root, 'templates/images/debian'));
    return hashOf({ suite, overlay, architecture: this.architecture });
  }

  private async pulls(name: string, reference: string): Promise<boolean> {
    if (this.noRegistry !== undefined) return false;
    this.options.report(name, 'pulling', reference);
    try {
      await this.options.docker.pull(reference, (line) => this.options.report(name, 'pulling', line));
      return true;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const why = error.tail.split('\n').at(-1) ?? error.ending;
      this.options.report(name, 'pulling', `not possible, building instead: ${why}`);
      if (!/Pulling from|manifest (for|unknown)|access denied/.test(error.tail)) this.noRegistry = why;
      return false;
    }
  }

  private async fetch(name: string, recipe: Recipe, context: string): Promise<void> {
    for (const input of recipe.npm) {
      if (input.architecture !== undefined && input.architecture !== this.architecture) continue;
      this.options.report(name, 'fetching', input.package);
      await unpackNpmPackage(input, context, this.options);
    }
  }

  /** Builds from a copy of the recipe folder that `fill` adds files to. */
  private async build(
    name: string,
    tag: string,
    recipe: string,
    base: string,
    folder: string,
    fill: (context: string) => Promise<void>,
  ): Promise<Made> {
    const { docker, report, cacheDir } = this.options;
    await using scratch = await makeScratch(cacheDir);
    await cp(folder, scratch.path, { recursive: true });
    await fill(scratch.path);
    const { network } = await this.host();
    report(name, 'building', tag);
    await docker.build(scratch.path, {
      tag,
      buildArgs: { BASE: base, ...network.buildArgs },
      labels: { [RECIPE_LABEL]: recipe, [SOURCE_LABEL]: 'built' },
      network: network.network,
      onLine: (line) => report(name, 'building', line),
    });
    const before = this.local.get(tag);
    if (before?.recipe !== undefined) this.replaced.push(before.id);
    return { reference: tag, id: await docker.idOf(tag), source: 'built', fresh: true };
  }

  private host(): Promise<HostSettings> {
    return (this.hostSettings ??= readHostSettings(this.options.env, this.options.signal));
  }
}

function baseTag(suite: DebianSuite): string {
  return `berth/debian:${suite}`;
}

function once<K, T>(memo: Map<K, Promise<T>>, key: K, make: () => Promise<T>): Promise<T> {
  let promise = memo.get(key);
  if (promise === undefined) {
    promise = make();
    memo.set(key, promise);
  }
  return promise;
}
