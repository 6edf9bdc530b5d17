import type { DatabaseProvider, PreparedDatabase } from '../../../src/domain/database/provider.js';

const NOTHING: PreparedDatabase = {
  environment: {},
  services: [],
  volumes: [],
  network: '',
  detail: '',
  data: {},
};

/** A database provider `fake` that makes nothing, but for what is given. */
export function fakeDatabase(
  change: Partial<DatabaseProvider>,
  prepared: Partial<PreparedDatabase> = {},
): DatabaseProvider {
  return {
    name: 'fake',
    awaitsAppHealth: true,
    prepare: async () => ({ ...NOTHING, ...prepared }),
    preview: async () => ({ ...NOTHING, ...prepared }),
    abandon: async () => [],
    remove: async () => [],
    reset: async () => [],
    tend: async () => undefined,
    listHeld: async () => [],
    ...change,
  };
}
