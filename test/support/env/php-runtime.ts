import type { Runtime } from '../../../src/domain/runtime/runtime.js';

/** What adding a runtime takes. In place of PHP's server, which is on no test host, Python's serves the folder. */
export const phpRuntime: Runtime = {
  name: 'php',
  defaultImage: 'python:3.11-slim',
  defaultContainerPort: 8000,
  mountPath: '/var/www',
  workingDir: '/var/www',
  defaultCommand(files) {
    return files.has('index.php') ? ['python', '-m', 'http.server', '8000'] : undefined;
  },
  environment() {
    return {};
  },
  healthCheck(url) {
    return ['CMD', 'python', '-c', 'import sys, urllib.request as r; r.urlopen(sys.argv[1])', url];
  },
  readiness() {
    return 'http';
  },
};
