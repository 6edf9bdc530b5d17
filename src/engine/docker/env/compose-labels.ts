import type {
  ComposeNetwork,
  ComposeProject,
  ComposeService,
  ComposeVolume,
} from '../../../domain/env/compose/model.js';
import { COMPOSE_VERSION } from '../../../domain/env/compose/config-hash.js';
import { ENV_LABEL, KIND_LABEL, OWNER_LABEL } from '../labels.js';

// Docker Compose finds what belongs to a project by these labels and by nothing else.
export const PROJECT_LABEL = 'com.docker.compose.project';
export const SERVICE_LABEL = 'com.docker.compose.service';
export const CONFIG_HASH_LABEL = 'com.docker.compose.config-hash';
const DEPENDS_ON_LABEL = 'com.docker.compose.depends_on';
const VERSION_LABEL = 'com.docker.compose.version';

export function serviceLabels(
  project: ComposeProject,
  service: ComposeService,
  owner: string,
  imageDigest: string,
): Record<string, string> {
  return {
    ...service.labels,
    ...ownerLabels(project, owner),
    [PROJECT_LABEL]: project.name,
    [SERVICE_LABEL]: service.name,
    [VERSION_LABEL]: COMPOSE_VERSION,
    [CONFIG_HASH_LABEL]: service.configHash,
    'com.docker.compose.container-number': '1',
    'com.docker.compose.oneoff': 'False',
    'com.docker.compose.project.config_files': project.configFile,
    'com.docker.compose.project.working_dir': project.workingDir,
    'com.docker.compose.image': imageDigest,
    // service:condition:restart
    [DEPENDS_ON_LABEL]: service.dependsOn.map((d) => `${d.service}:${d.condition}:false`).join(','),
  };
}

export function networkLabels(
  project: Pick<ComposeProject, 'name'>,
  network: ComposeNetwork,
  owner: string,
): Record<string, string> {
  return {
    ...network.labels,
    ...ownerLabels(project, owner),
    [PROJECT_LABEL]: project.name,
    [VERSION_LABEL]: COMPOSE_VERSION,
    'com.docker.compose.network': network.key,
  };
}

export function volumeLabels(
  project: ComposeProject,
  volume: ComposeVolume,
  owner: string,
): Record<string, string> {
  return {
    ...volume.labels,
    ...ownerLabels(project, owner),
    [PROJECT_LABEL]: project.name,
    [VERSION_LABEL]: COMPOSE_VERSION,
    'com.docker.compose.volume': volume.key,
  };
}

/** Services that a container's own label says it depends on. */
export function dependenciesOf(labels: Record<string, string>): string[] {
  return (labels[DEPENDS_ON_LABEL] ?? '')
    .split(',')
    .map((entry) => entry.split(':')[0] ?? '')
    .filter((service) => service !== '');
}

/** Filters for one project of this owner: both must match, so that nobody else's project of that name is touched. */
export function projectFilter(owner: string, projectName: string): string[] {
  return [`${OWNER_LABEL}=${owner}`, `${PROJECT_LABEL}=${projectName}`];
}

function ownerLabels(project: Pick<ComposeProject, 'name'>, owner: string): Record<string, string> {
  return { [OWNER_LABEL]: owner, [KIND_LABEL]: 'env', [ENV_LABEL]: project.name };
}
