// The apps that the benchmark deploys, in its berthd's folder of apps.
import { join } from 'node:path';
import { root } from '../../src/cli/setup/host.mjs';
import { installPackage } from '../support/npm-packages.mjs';
import { addApp } from './berthd.mjs';

/** Docker makes its first health check only after one interval: a long one would hide everything else. */
export const HEALTH_INTERVAL_MS = 1_000;

/**
 * @typedef {object} BenchApp
 * @property {string} id
 * @property {string} what for the notes below the table
 * @property {string} path a page that shows that all of the app works
 * @property {string} begins how that page begins
 * @property {number} [graceMs] what it needs to be given between SIGTERM and SIGKILL, where it does not end by itself
 */

/** @returns {BenchApp} the sample app; it handles SIGTERM */
export function addHello(berthd) {
  const id = 'hello-node';
  addApp(berthd, id, join(root, 'templates/apps', id), withHealthInterval);
  return { id, what: `templates/apps/${id}`, path: '/', begins: 'Hello from Node' };
}

/** @returns {BenchApp} one that SIGTERM does not end */
export function addIgnoresSigterm(berthd) {
  const id = 'ignores-sigterm';
  let graceMs;
  addApp(berthd, id, join(root, 'test/apps', id), (metadata) => {
    graceMs = metadata.stopGraceMs;
    return withHealthInterval(metadata);
  });
  return { id, what: `test/apps/${id}`, path: '/', begins: 'Still here', graceMs };
}

/**
 * An app that reads its database, which begins with the app's SQL: a table, a row and a procedure.
 *
 * @param {'shared' | 'standalone'} provider
 * @returns {Promise<BenchApp>}
 */
export async function addNotes(berthd, provider) {
  const id = `notes-${provider}`;
  addApp(berthd, id, join(root, 'test/apps/notes'), (metadata) =>
    withHealthInterval({ ...metadata, database: { provider } }),
  );
  await installPackage('mysql2', join(berthd.appsPath, id));
  return { id, what: `test/apps/notes with a ${provider} database`, path: '/notes', begins: '["from;' };
}

function withHealthInterval(metadata) {
  return { ...metadata, healthCheck: { ...metadata.healthCheck, intervalMs: HEALTH_INTERVAL_MS } };
}
