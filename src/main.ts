#!/usr/bin/env node
import { ConfigError, configKeys, FAILPOINTS_VARIABLE, loadConfig } from './config/load.js';
import { Daemon } from './daemon.js';
import { Failpoints } from './failpoints/failpoints.js';
import { FailpointRulesError } from './failpoints/rules.js';
import { createLogger } from './telemetry/logger.js';

/** sysexits.h: it was called wrongly; the configuration is wrong; berthd could not start; a signal ended it before it had stopped. */
const EXIT = { usage: 64, config: 78, unavailable: 69, software: 70, killed: 137 } as const;

const [argument] = process.argv.slice(2);
if (argument === '--help' || argument === '-h') printHelp();
else if (argument !== undefined) refuse(argument);
else await run();

async function run(): Promise<void> {
  let config;
  try {
    config = loadConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`berthd: ${error.message}\nSee berthd --help for every key.\n`);
    process.exitCode = EXIT.config;
    return;
  }
  const logger = createLogger(config.log.level);
  let failpoints;
  try {
    const setting = process.env[FAILPOINTS_VARIABLE] ?? '';
    if (setting !== '') failpoints = new Failpoints(setting, logger);
  } catch (error) {
    if (!(error instanceof FailpointRulesError)) throw error;
    process.stderr.write(`berthd: ${error.message}\n`);
    process.exitCode = EXIT.config;
    return;
  }
  process.on('uncaughtException', (error) => {
    logger.error({ err: error }, 'a defect of berthd: it ends; its next start recovers');
    process.exit(EXIT.software);
  });

  let daemon: Daemon;
  try {
    daemon = await Daemon.start(config, logger, failpoints);
  } catch (error) {
    logger.error(
      { err: error },
      `berthd could not start: ${error instanceof Error ? error.message : String(error)}`,
    );
    process.exitCode = EXIT.unavailable;
    return;
  }
  let stopping = false;
  const stop = (): void => {
    // A second signal does not wait: what is left carries berthd's label, and the next start removes it.
    if (stopping) process.exit(EXIT.killed);
    stopping = true;
    daemon.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'berthd could not stop in order');
        process.exit(EXIT.software);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function refuse(argument: string): void {
  process.stderr.write(
    `berthd: it takes no argument ${JSON.stringify(argument)}: it is configured by variables, which berthd --help lists. ` +
      'Commands are those of berth: see berth --help.\n',
  );
  process.exitCode = EXIT.usage;
}

function printHelp(): void {
  const keys = configKeys();
  const width = Math.max(...keys.map((key) => key.variable.length));
  const lines = keys.map((key) => `  ${key.variable.padEnd(width)}  ${key.meaning} [${key.fallback}]`);
  process.stdout.write(
    `berthd: runs untrusted code in pooled sandboxes and deploys apps as environments, over gRPC.\n\n` +
      `It is configured by environment variables, or by a YAML file named by BERTH_CONFIG:\n\n${lines.join('\n')}\n`,
  );
}
