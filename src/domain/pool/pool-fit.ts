import { invalid, type FieldViolation } from '../errors.js';
import type { SandboxSpec } from '../sandbox/spec.js';
import type { SpecRequest } from './spec-resolver.js';

/**
 * Whether a pool that a request names can serve what else the request asks for. An absent field asks for nothing.
 * @throws BerthError INVALID_ARGUMENT naming each field that contradicts the pool
 */
export function checkFits(request: SpecRequest, spec: SandboxSpec): void {
  const violations: FieldViolation[] = [];
  const must = (fits: boolean, field: string, has: string): void => {
    if (!fits) violations.push({ field, rule: `contradicts pool_id: that pool has ${has}` });
  };
  const { language, image, isolation, limits } = request;
  must(language === '' || spec.languages.includes(language), 'language', spec.languages.join(', ') || 'none');
  must(image === '' || image === spec.image, 'image', spec.image);
  must(isolation === 'reuse' || isolation === spec.isolation, 'isolation', spec.isolation);
  const limit = (asked: number, given: number, field: string): void =>
    must(asked === 0 || asked === given, `limits.${field}`, String(given));
  limit(limits.memoryBytes, spec.limits.memoryBytes, 'memory_bytes');
  limit(limits.cpuMillis / 1_000, spec.limits.cpuMillis / 1_000, 'cpus');
  limit(limits.processes, spec.limits.processes, 'max_processes');
  limit(limits.scratchBytes, spec.limits.tmpfsBytes, 'scratch_bytes');
  if (violations.length > 0) throw invalid(...violations);
}
