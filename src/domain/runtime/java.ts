import { bashProbe } from './bash-probe.js';
import { firstOf, type Runtime } from './runtime.js';

/** The JVM's own default is a quarter of the container's memory, which wastes the rest of a container made for it. */
const HEAP = '-XX:MaxRAMPercentage=75';

/** Java web apps from a runnable jar; listens on `PORT` (Spring Boot: on `SERVER_PORT`). */
export const javaRuntime: Runtime = {
  name: 'java',
  defaultImage: 'eclipse-temurin:17-jre',
  defaultContainerPort: 8080,
  mountPath: '/app',
  workingDir: '/app',
  defaultCommand(files) {
    const jars = [...files].filter((file) => file.endsWith('.jar')).sort();
    const main = firstOf(['app.jar', 'main.jar'], files) ?? (jars.length === 1 ? jars[0] : undefined);
    return main === undefined ? undefined : ['java', HEAP, '-jar', main];
  },
  environment(containerPort) {
    return {
      HOST: '0.0.0.0',
      ...(containerPort === undefined
        ? {}
        : { PORT: String(containerPort), SERVER_PORT: String(containerPort) }),
    };
  },
  healthCheck: bashProbe,
  readiness() {
    return 'http';
  },
};
