import { describe, expect, it } from 'vitest';
import type { EnvState } from '../../../src/domain/env/model.js';
import { admission } from '../../../src/domain/env/admission.js';
import {
  destroyPlan,
  planDeploy,
  resetPlan,
  startPlan,
  stopPlan,
  type DeployFacts,
  type PresentEnv,
} from '../../../src/domain/env/plan.js';

const WANTED = 'sha256:new';

function facts(present?: Partial<PresentEnv>, more: Partial<DeployFacts> = {}): DeployFacts {
  return {
    appDigest: WANTED,
    source: 'folder',
    hasDatabase: false,
    force: false,
    present: present && {
      state: 'running',
      appDigest: WANTED,
      containers: 'running',
      portFree: true,
      ...present,
    },
    ...more,
  };
}

describe('planDeploy decides', () => {
  it.each([
    ['no env', facts(), 'create'],
    ['running, same content', facts({}), 'return_running'],
    ['running, same content, forced', facts({}, { force: true }), 'replace'],
    ['running, other content', facts({ appDigest: 'sha256:old' }), 'replace'],
    ['running, a container stopped', facts({ containers: 'stopped' }), 'replace'],
    ['running, a container gone', facts({ containers: 'missing' }), 'replace'],
    ['stopped, same content', facts({ state: 'stopped', containers: 'stopped' }), 'start_stopped'],
    ['stopped, forced', facts({ state: 'stopped', containers: 'stopped' }, { force: true }), 'replace'],
    ['stopped, port taken', facts({ state: 'stopped', containers: 'stopped', portFree: false }), 'replace'],
    ['stopped, containers gone', facts({ state: 'stopped', containers: 'missing' }), 'replace'],
    ['stopped, other content', facts({ state: 'stopped', appDigest: 'x', containers: 'stopped' }), 'replace'],
    ['broken, same content', facts({ state: 'broken', containers: 'missing' }), 'replace'],
  ] as const)('%s: %s', (_, given, decision) => {
    expect(planDeploy(given).decision).toBe(decision);
  });
});

describe('the steps of a plan', () => {
  it('follow the seed, each with its undo', () => {
    const steps = planDeploy(facts(undefined, { source: 'files' })).steps;
    expect(steps.map(({ name, undo }) => `${name} < ${undo}`)).toEqual([
      'check_image < none',
      'claim_port < release_port',
      'create_directory < remove_directory',
      'copy_app < remove_app',
      'render_compose < none',
      'create_networks < remove_networks_and_volumes',
      'create_containers < remove_containers',
      'start_containers < none',
      'wait_ready < none',
      'verify < none',
      'mark_running < none',
    ]);
  });

  it('read the metadata of a folder again instead of copying it', () => {
    const names = planDeploy(facts()).steps.map((step) => step.name);
    expect(names).toContain('read_metadata');
    expect(names).not.toContain('copy_app');
  });

  it('prepare a database before the compose file that needs its variables', () => {
    const names = planDeploy(facts(undefined, { hasDatabase: true })).steps.map((step) => step.name);
    expect(names.indexOf('prepare_database')).toBe(names.indexOf('render_compose') - 1);
  });

  it('of a replacement keep the volumes, and look for the image before anything is touched', () => {
    const plan = planDeploy(facts({ appDigest: 'sha256:old' }));
    expect(plan.steps.slice(0, 2).map((step) => step.name)).toEqual(['check_image', 'remove_previous']);
    expect(plan.steps.map((step) => step.undo)).not.toContain('remove_networks_and_volumes');
    expect(plan.pointOfNoReturn).toEqual({ step: 'remove_previous', untouched: 'running' });
    expect(plan.states.failure).toBe('broken');
  });

  it('of a reset drop the data before the containers are made anew, and keep networks, port and directory', () => {
    const { steps, onCrash, pointOfNoReturn } = resetPlan('stopped', true);
    const names = steps.map((step) => step.name);
    expect(names).toEqual([
      'remove_containers',
      'reset_database',
      'create_networks',
      'create_containers',
      'start_containers',
      'wait_ready',
      'verify',
      'mark_running',
    ]);
    expect(resetPlan('stopped', false).steps.map((step) => step.name)).not.toContain('reset_database');
    expect(onCrash).toBe('finish');
    expect(pointOfNoReturn).toEqual({ step: 'remove_containers', untouched: 'stopped' });
  });

  it('end each kind of operation with the mark of its state', () => {
    const last = (plan: ReturnType<typeof stopPlan>) => plan.steps.at(-1)?.name;
    expect([planDeploy(facts()), startPlan(), stopPlan(), destroyPlan(false)].map(last)).toEqual([
      'mark_running',
      'mark_running',
      'mark_stopped',
      'mark_destroyed',
    ]);
    expect(last(resetPlan('running', false))).toBe('mark_running');
    const destroy = destroyPlan(true).steps.map((step) => step.name);
    expect(destroy.indexOf('release_port')).toBeGreaterThan(destroy.indexOf('remove_containers'));
    expect(destroy).toContain('remove_database');
  });
});

describe('admission', () => {
  const table: [EnvState, string, string, string, string, string][] = [
    // state, stop, start, reset, destroy, expire
    ['deploying', 'wait', 'wait', 'wait', 'cancel_and_wait', 'refuse'],
    ['running', 'begin', 'begin', 'begin', 'begin', 'begin'],
    ['stopping', 'wait', 'wait', 'wait', 'wait', 'refuse'],
    ['stopped', 'unchanged', 'begin', 'begin', 'begin', 'begin'],
    ['starting', 'wait', 'wait', 'wait', 'cancel_and_wait', 'refuse'],
    ['resetting', 'wait', 'wait', 'wait', 'cancel_and_wait', 'refuse'],
    ['destroying', 'wait', 'wait', 'wait', 'wait', 'refuse'],
    ['broken', 'refuse', 'refuse', 'begin', 'begin', 'begin'],
    ['failed', 'refuse', 'refuse', 'refuse', 'unchanged', 'refuse'],
    ['destroyed', 'refuse', 'refuse', 'refuse', 'unchanged', 'refuse'],
  ];
  it.each(table)('%s: stop %s, start %s, reset %s, destroy %s, expire %s', (state, ...expected) => {
    const kinds = ['stop', 'start', 'reset', 'destroy', 'expire'] as const;
    expect(kinds.map((kind) => admission(kind, state))).toEqual(expected);
  });
});
