/** MySQL's longest names of schemas, in characters. */
const MAX_SCHEMA_CHARACTERS = 64;
/** A schema is a directory: what is not a letter, digit or underscore takes five bytes of its name there. */
const MAX_DIRECTORY_BYTES = 255;

/** The rule that a schema's name breaks, or nothing. */
export function schemaNameRule(name: string): string | undefined {
  if (name === '') return 'must not be empty';
  if ([...name].length > MAX_SCHEMA_CHARACTERS) return `must be at most ${MAX_SCHEMA_CHARACTERS} characters`;
  if (/[\u{10000}-\u{10ffff}\ud800-\udfff]/u.test(name))
    return 'must be of the basic Unicode plane, as MySQL asks';
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'must not have control characters';
  if (/^\s|\s$/.test(name)) return 'must not begin or end with a blank';
  return directoryBytes(name) > MAX_DIRECTORY_BYTES
    ? 'is too long with so many special characters'
    : undefined;
}

/**
 * Name of an env's schema on the shared server: what the app asked for and the env's own digits, so that envs stay apart.
 * @param wanted checked by `schemaNameRule`
 */
export function sharedSchemaName(envId: string, wanted: string | undefined): string {
  const digits = `_${envId.replace(/^env-/, '')}`;
  if (wanted === undefined) return `env${digits}`;
  let kept = wanted.slice(0, MAX_SCHEMA_CHARACTERS - digits.length);
  while (directoryBytes(kept + digits) > MAX_DIRECTORY_BYTES) kept = kept.slice(0, -1);
  return kept + digits;
}

/** Name of the network that an env's app and the shared server meet in. */
export function sharedNetworkName(envId: string): string {
  return `${envId}-db-net`;
}

/** A name as an SQL identifier, whatever is in it. */
export function quotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A text as an SQL string, in the default SQL mode. */
export function quotedText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** A schema's name where GRANT expects a pattern: `_` and `%` stand for themselves and for nothing else. */
export function quotedPattern(name: string): string {
  return quotedName(name.replace(/[\\_%]/g, '\\$&'));
}

function directoryBytes(name: string): number {
  return [...name].reduce((sum, character) => sum + (/[A-Za-z0-9_]/.test(character) ? 1 : 5), 0);
}
