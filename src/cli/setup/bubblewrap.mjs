// bubblewrap, which shuts in code that runs without Docker: from the distribution.
import { installPackages } from './apt.mjs';
import { which } from './host.mjs';
import { must } from './processes.mjs';

const PROGRAM = 'bwrap';

/**
 * Makes sure that it is there.
 *
 * @param {(text: string) => void} note
 * @returns {Promise<string>} its version and what had to be done
 * @throws SetupError with the command to run, where it cannot be installed
 */
export async function ensureBubblewrap(note = () => {}) {
  const isThere = which(PROGRAM) !== undefined;
  if (!isThere) await installPackages(['bubblewrap'], 'Running code in local sandboxes', note);
  const { stdout } = await must([PROGRAM, '--version']);
  return `${stdout.trim()}${isThere ? '' : ', installed'}`;
}
