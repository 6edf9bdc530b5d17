/**
 * The images Berth needs by default, by the names people use. `mysql` is the default database: the public
 * `mysql:8.0`, or a locally built `mysql:9` (no 8.0 is in Debian); `PreparedImage.reference` says which.
 */
export const IMAGE_NAMES = [
  'python:3.11-slim',
  'node:20-slim',
  'mysql',
  'eclipse-temurin:17-jre',
  'nginx:stable',
  'berth/sandbox-python:3.11',
] as const;

export { DATABASE_IMAGES } from '../../../domain/database/images.js';

export type ImageName = (typeof IMAGE_NAMES)[number];

export type SandboxImageName = Extract<ImageName, `berth/sandbox-${string}`>;
export type RuntimeImageName = Exclude<ImageName, SandboxImageName>;

/** Recipe folder below templates/images of each image that can be pulled or built from Debian. */
export const RECIPE_FOLDERS: Record<RuntimeImageName, string> = {
  'python:3.11-slim': 'python-3.11',
  'node:20-slim': 'node-20',
  mysql: 'mysql-9',
  'eclipse-temurin:17-jre': 'temurin-17-jre',
  'nginx:stable': 'nginx-stable',
};

export interface SandboxImage {
  /** The image that gets the runner layer. */
  on: RuntimeImageName;
  /** Files of src/runner/launchers that the layer has. */
  launchers: readonly string[];
}

/** A language's sandbox image. A new language is a row here and its launcher's files. */
export const SANDBOX_IMAGES: Record<SandboxImageName, SandboxImage> = {
  'berth/sandbox-python:3.11': { on: 'python:3.11-slim', launchers: ['python.py', 'berth_python.py'] },
};

export function isImageName(name: string): name is ImageName {
  return (IMAGE_NAMES as readonly string[]).includes(name);
}

export function isSandboxImage(name: ImageName): name is SandboxImageName {
  return name in SANDBOX_IMAGES;
}
