/**
 * The subset of the compose file format that Berth applies, after parsing and checking; everything else in a file is an
 * error that names the key. Names are compose's own, in camel case; sizes in bytes, times in milliseconds.
 */
export interface ComposeProject {
  /** Project name = env id. */
  name: string;
  /** Directory of the compose file. */
  workingDir: string;
  /** Absolute path of the compose file. */
  configFile: string;
  /** In start order: a service comes after what it depends on. */
  services: ComposeService[];
  networks: ComposeNetwork[];
  volumes: ComposeVolume[];
}

export interface ComposeService {
  name: string;
  image: string;
  containerName: string;
  command: string[] | undefined;
  entrypoint: string[] | undefined;
  workingDir: string | undefined;
  user: string | undefined;
  environment: Record<string, string>;
  ports: { hostIp: string; hostPort: number; containerPort: number; protocol: 'tcp' | 'udp' }[];
  mounts: ComposeMount[];
  /** Keys of `ComposeProject.networks`, with aliases beside the service's own name. */
  networks: { key: string; aliases: string[] }[];
  dependsOn: { service: string; condition: 'service_started' | 'service_healthy' }[];
  healthcheck: ComposeHealthcheck | undefined;
  tty: boolean;
  stdinOpen: boolean;
  readOnly: boolean;
  capDrop: string[];
  capAdd: string[];
  securityOpt: string[];
  pidsLimit: number | undefined;
  memoryBytes: number | undefined;
  /** Cores. */
  cpus: number | undefined;
  restart: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  stopGraceMs: number;
  logging: { driver: string; options: Record<string, string> } | undefined;
  labels: Record<string, string>;
  tmpfs: string[];
  init: boolean;
  /** Docker Compose's own hash of the service, written as `com.docker.compose.config-hash`. */
  configHash: string;
}

export type ComposeMount =
  | { type: 'bind'; source: string; target: string; readOnly: boolean }
  | {
      type: 'volume';
      /** key of `ComposeProject.volumes` */ source: string;
      target: string;
      readOnly: boolean;
    };

export interface ComposeHealthcheck {
  /** `['CMD', …]` or `['CMD-SHELL', text]` or `['NONE']`. */
  test: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  retries: number;
}

export interface ComposeNetwork {
  key: string;
  /** Docker's name of it. */
  name: string;
  /** Not made and not removed by this project. */
  external: boolean;
  internal: boolean;
  /** IPv4 CIDR, when the file gives one. */
  subnet: string | undefined;
  labels: Record<string, string>;
}

export interface ComposeVolume {
  key: string;
  name: string;
  external: boolean;
  labels: Record<string, string>;
}
