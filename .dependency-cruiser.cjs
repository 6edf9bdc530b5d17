/** The layers of design.md, as import rules. `api`, `http` → `domain` ← `engine`, `store`, `templates`. */
const only = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    only('no-cycles', 'a cycle means that two files are one', { path: '^src' }, { circular: true }),
    only(
      'domain-knows-nobody',
      'the domain implements nothing of the outside: it declares interfaces',
      { path: '^src/domain' },
      { path: '^src/(api|http|cli|engine|store|config|main|daemon)|^clients' },
    ),
    only(
      'adapters-do-not-know-each-other',
      'only daemon.ts puts adapters together',
      { path: '^src/(engine|store)' },
      { path: '^src/(api|http|cli|daemon|main|config)|^clients' },
    ),
    only('engine-not-store', 'adapters meet in the domain', { path: '^src/engine' }, { path: '^src/store' }),
    only('store-not-engine', 'adapters meet in the domain', { path: '^src/store' }, { path: '^src/engine' }),
    only(
      'api-only-domain',
      'the API is thin',
      { path: '^src/(api|http)' },
      { path: '^src/(engine|store|config|cli|daemon|main|templates)' },
    ),
    only(
      'dockerode-in-workers',
      'Docker work runs in piscina workers',
      { path: '^src', pathNot: '^src/engine/docker/worker/' },
      { path: 'node_modules/dockerode' },
    ),
    only(
      'kysely-in-store',
      'SQL is built in the store',
      { path: '^src', pathNot: '^src/store/' },
      { path: 'node_modules/(kysely|mysql2|libsql)' },
    ),
    only(
      'protobuf-at-the-edge',
      'only the API and the clients know protobuf',
      { path: '^src', pathNot: '^src/(api|cli)/' },
      { path: '^clients/|node_modules/(@grpc|@bufbuild/protobuf)' },
    ),
    only(
      'cli-through-the-client',
      'the CLI speaks gRPC like anybody else',
      { path: '^src/cli' },
      { path: '^src/(api|domain|store|http|daemon|main|engine/docker/(worker|sandbox|env))' },
    ),
    only(
      'failpoints-from-outside',
      'nothing that runs knows that it can be made to fail',
      { path: '^src', pathNot: '^src/(failpoints/|main\\.ts$|daemon\\.ts$)' },
      { path: '^src/failpoints' },
    ),
    only(
      'only-main-composes',
      'daemon.ts is the only place that knows concrete classes',
      { path: '^src', pathNot: '^src/main\\.ts$' },
      { path: '^src/daemon\\.ts$' },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js'],
    },
  },
};
