import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SETUP = resolve(import.meta.dirname, '../../src/cli/setup');

interface HostSetup {
  cacheDir(): string;
  which(program: string): string | undefined;
}

interface AptSetup {
  installPackages(packages: string[], why: string): Promise<string[]>;
}

/** Set-up code is plain JavaScript, so that it runs before dependencies are installed. */
const setup = async <Module>(file: string) => (await import(join(SETUP, file))) as Module;

interface Kind {
  /** What names the packages, and what is made of them: a folder is downloaded once for each content of these. */
  from: string[];
  program: string;
  debianPackage: string;
  /** What the app's folder gets. */
  makes: string[];
  install(folder: string, cache: string): Promise<unknown>;
}

const KINDS: Record<'express-notes' | 'flask-notes' | 'java-notes', Kind> = {
  'express-notes': {
    from: ['package.json'],
    program: 'npm',
    debianPackage: 'npm',
    makes: ['node_modules'],
    install: (folder) =>
      run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder }),
  },
  'flask-notes': {
    from: ['requirements.txt'],
    program: 'pip3',
    debianPackage: 'python3-pip',
    makes: ['packages'],
    // For the interpreter of the app's image, whatever the host has.
    install: (folder) =>
      run(
        'pip3',
        [
          ...['install', '--quiet', '--no-input', '--target', 'packages', '-r', 'requirements.txt'],
          ...['--implementation', 'cp', '--python-version', '3.11', '--only-binary=:all:'],
          ...['--platform', `manylinux2014_${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}`],
        ],
        { cwd: folder },
      ),
  },
  'java-notes': {
    from: ['pom.xml', 'Notes.java'],
    program: 'mvn',
    debianPackage: 'maven',
    makes: ['lib', 'classes'],
    async install(folder, cache) {
      const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
      const repository = `-Dmaven.repo.local=${join(cache, 'maven')}`;
      await run('mvn', ['-B', '-q', repository, goal, '-DoutputDirectory=lib'], { cwd: folder });
      const script =
        'java -jar lib/ecj-*.jar -17 -encoding UTF-8 -cp "$(echo lib/*.jar | tr " " :)" -d classes Notes.java && rm lib/ecj-*.jar';
      const mount = ['--volume', `${folder}:/app`, '--workdir', '/app'];
      const image = 'eclipse-temurin:17-jre';
      await run('docker', ['run', '--rm', '--network', 'none', ...mount, image, 'sh', '-c', script]);
    },
  },
};

/**
 * Puts an app of `test/apps` with the packages that it names, as their registry publishes them, into a folder. They are
 * downloaded with the registry's own client once and kept in the cache.
 */
export async function appWithPackages(
  app: keyof typeof KINDS,
  source: string,
  target: string,
): Promise<void> {
  const { from, program, debianPackage, makes, install } = KINDS[app];
  const { cacheDir, which } = await setup<HostSetup>('host.mjs');
  const hash = createHash('sha256');
  for (const file of from) hash.update(await readFile(join(source, file)));
  const kept = join(cacheDir(), 'test-apps', `${app}-${hash.digest('hex').slice(0, 16)}`);
  await cp(source, target, { recursive: true });
  const copied = async () => {
    for (const made of makes) await cp(join(kept, made), join(target, made), { recursive: true });
  };
  if (
    await copied().then(
      () => true,
      () => false,
    )
  )
    return;

  if (which(program) === undefined) {
    const { installPackages } = await setup<AptSetup>('apt.mjs');
    await installPackages([debianPackage], `The app ${app} of the tests`);
  }
  await mkdir(join(kept, '..'), { recursive: true });
  const making = await mkdtemp(`${kept}-`);
  try {
    for (const file of from) await cp(join(source, file), join(making, file));
    await install(making, cacheDir());
    await rm(kept, { recursive: true, force: true });
    await rename(making, kept);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  await copied();
}
