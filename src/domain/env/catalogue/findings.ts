import { isBerthError, type BerthError } from '../../errors.js';
import type { Finding } from '../../finding.js';
import { METADATA_FILE, UNKNOWN_KEY } from '../app/metadata.js';

/** Rules of findings by the reason of the error that would refuse the deployment. */
const RULES: Partial<Record<BerthError['reason'], string>> = {
  RUNTIME_UNKNOWN: 'metadata.runtime_unknown',
  NOT_BUILT: 'metadata.not_built',
  COMPOSE_INVALID: 'compose.not_applicable',
  IMAGE_NOT_FOUND: 'capacity.image',
  PORT_NONE_FREE: 'capacity.ports',
  SUBNET_NONE_FREE: 'capacity.subnets',
  DOCKER_UNAVAILABLE: 'capacity.docker',
};

/** What would be thrown at a deployment, as findings: one for each rule that is broken. */
export function findingsOf(error: BerthError): Finding[] {
  const rule = RULES[error.reason];
  if (error.violations.length === 0 || rule?.startsWith('capacity.')) {
    return [{ severity: 'error', rule: rule ?? 'app.invalid', path: '', field: '', message: error.message }];
  }
  return error.violations.map((violation): Finding => {
    const [file, ...keys] = violation.field.split('/');
    const inMetadata = file === METADATA_FILE;
    const isFile = error.reason === 'APP_INVALID' && !inMetadata && violation.field !== 'app';
    const field = inMetadata ? keys.join('.') : error.reason === 'COMPOSE_INVALID' ? violation.field : '';
    return {
      severity: 'error',
      rule: rule ?? ruleOf(inMetadata, field, violation.rule),
      path: inMetadata ? METADATA_FILE : isFile ? violation.field : '',
      field,
      message: `${field || violation.field} ${violation.rule}`,
    };
  });
}

function ruleOf(inMetadata: boolean, field: string, rule: string): string {
  if (!inMetadata) return 'app.files';
  if (field === '') return 'metadata.unreadable';
  return rule === UNKNOWN_KEY ? 'metadata.unknown_key' : 'metadata.invalid_value';
}

/** Runs a check: what it refuses becomes findings, any other error is thrown on. */
export async function gather<T>(findings: Finding[], check: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!isBerthError(error) || !isRefusal(error)) throw error;
    findings.push(...findingsOf(error));
    return undefined;
  }
}

function isRefusal({ reason }: BerthError): boolean {
  return reason === 'APP_INVALID' || reason in RULES;
}
