import { isBerthError } from '../errors.js';

/** The default database image is the first of these that the host has: pulled, or built as the nearest of Debian's. */
export const DATABASE_IMAGES = ['mysql:8.0', 'mysql:9'] as const;

/**
 * The image of a database server.
 * @param wanted by metadata or a setting; undefined or empty: the default
 * @param require throws IMAGE_NOT_FOUND for an image that is not on the host
 * @throws IMAGE_NOT_FOUND naming the image that was asked for, or the default
 */
export async function databaseImage(
  wanted: string | undefined,
  require: (image: string) => Promise<unknown>,
): Promise<string> {
  if (wanted !== undefined && wanted !== '') {
    await require(wanted);
    return wanted;
  }
  let first: unknown;
  for (const image of DATABASE_IMAGES) {
    try {
      await require(image);
      return image;
    } catch (error) {
      if (!isBerthError(error, 'IMAGE_NOT_FOUND')) throw error;
      first ??= error;
    }
  }
  throw first;
}
