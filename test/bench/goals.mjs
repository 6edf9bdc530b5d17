// What is to be reached, by the names of the ratios and figures.

/** @type {Record<string, {atMost: number} | {atLeast: number}>} */
export const GOALS = {
  'execute.p50.vs_bare_python': { atMost: 0.3 },
  'execute.p95.vs_bare_python': { atMost: 0.6 },
  'execute.p50.vs_docker_run': { atMost: 0.05 },
  'execute_imports.p50.vs_bare_python': { atMost: 0.25 },
  'execute.back_to_back.p95.vs_bare_python': { atMost: 1 },
  'execute.throughput10.vs_bare_python': { atLeast: 2 },
  'execute_tenants50.p95.vs_docker_run': { atMost: 0.5 },
  'execute_gvisor.p50.vs_bare_python': { atMost: 0.8 },
  'acquire.p95_ms': { atMost: 50 },
  'reset.p95_ms': { atMost: 300 },
  // "Flat": an eighth of what is streamed, which buffers of a fixed size and V8's own moods stay below.
  'stream.daemon_rss_growth_mib': { atMost: 32 },
  'deploy.p50.vs_compose_up_wait': { atMost: 0.5 },
  'deploy_db.p50.vs_compose_up_wait': { atMost: 0.7 },
  'deploy_shared.p50.vs_deploy_standalone': { atMost: 0.2 },
  'stop_start.p50.vs_compose': { atMost: 0.8 },
  'destroy.p50.vs_compose_down': { atMost: 0.8 },
};

/** Whether a value meets its goal; undefined where it has none. */
export function meets(name, value) {
  const goal = GOALS[name];
  if (goal === undefined) return undefined;
  return 'atMost' in goal ? value <= goal.atMost : value >= goal.atLeast;
}

/** For people: `≤ 0.5`. */
export function describeGoal(name) {
  const goal = GOALS[name];
  if (goal === undefined) return '';
  return 'atMost' in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`;
}
