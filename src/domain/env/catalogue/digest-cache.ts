import { createHash } from 'node:crypto';
import type { FolderSurvey } from '../app/survey.js';

const MAX_KEPT = 5_000;
/** A file that changes twice within one tick of the file system's clock looks unchanged; so a young one is not kept. */
const YOUNG_MS = 2_000;

/** Digests of folders for lists, by what their directories say: an app that did not change is not read again. */
export class DigestCache {
  readonly #kept = new Map<string, { mark: string; digest: string }>();

  async of(
    path: string,
    survey: FolderSurvey,
    nowMs: number,
    digest: () => Promise<string>,
  ): Promise<string> {
    const mark = createHash('sha256').update(survey.mark.join('\n')).digest('hex');
    const kept = this.#kept.get(path);
    if (kept?.mark === mark) return kept.digest;
    const fresh = await digest();
    if (nowMs - survey.changedAt < YOUNG_MS) return fresh;
    this.#kept.delete(path);
    this.#kept.set(path, { mark, digest: fresh });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return fresh;
  }
}
