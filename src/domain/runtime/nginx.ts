import { bashProbe } from './bash-probe.js';
import type { Runtime } from './runtime.js';

/** Static sites: the app folder is nginx's document root. It listens on port 80, as the image is configured. */
export const nginxRuntime: Runtime = {
  name: 'nginx',
  defaultImage: 'nginx:stable',
  defaultContainerPort: 80,
  mountPath: '/usr/share/nginx/html',
  workingDir: '/usr/share/nginx/html',
  defaultCommand() {
    return ['nginx', '-g', 'daemon off;'];
  },
  environment() {
    return {};
  },
  healthCheck: bashProbe,
  readiness() {
    return 'http';
  },
  // The master gives its cache folders to the user nginx, and its workers become that user.
  capabilities: ['CHOWN', 'SETGID', 'SETUID'],
};
