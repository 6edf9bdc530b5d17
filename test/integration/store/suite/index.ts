import { describe } from 'vitest';
import { claimTests } from './claims.js';
import { commitTests } from './commits.js';
import { envLifeTests } from './env-life.js';
import { executionTests } from './executions.js';
import type { Subject } from './fixtures.js';
import { lifecycleTests } from './lifecycle.js';
import { listTests } from './lists.js';
import { portTests } from './ports.js';

/** The one suite that every database has to pass. */
export function storeSuite(name: string, subject: Subject): void {
  describe(`store on ${name}`, () => {
    lifecycleTests(subject);
    claimTests(subject);
    commitTests(subject);
    listTests(subject);
    portTests(subject);
    envLifeTests(subject);
    executionTests(subject);
  });
}
