import { z } from 'zod';
import { choice, int } from '../fields.js';

const MINUTE = 60_000;

/** Pools of warm sandboxes. */
export const poolSection = z
  .strictObject({
    preset: choice(
      ['default', 'small', 'production'],
      'default',
      'Sizes where the keys below are not given: default 1/3/10, small 1/1/3, production 3/5/20 with 600 s idle time (minimum/initial/maximum).',
    ),
    pooling: choice(
      ['on', 'off'],
      'on',
      'off: no pools; every execution gets a container of its own, made for it and removed after it.',
    ),
    min: int(-1, { min: -1, max: 1_000 }, 'Sandboxes a pool never goes under; -1: as the preset says.'),
    initial: int(
      -1,
      { min: -1, max: 1_000 },
      'Warm sandboxes not yet given to a tenant; -1: as the preset says.',
    ),
    max: int(-1, { min: -1, max: 1_000 }, 'Sandboxes a pool never exceeds; -1: as the preset says.'),
    idleTimeoutMs: int(
      -1,
      { min: -1, max: 24 * 60 * MINUTE },
      'Time without use after which a pool shrinks to its minimum; -1: as the preset says.',
    ),
    healthIntervalMs: int(
      -1,
      { min: -1, max: 24 * 60 * MINUTE },
      'Time between two health checks of an idle sandbox, at least 1000; -1: as the preset says (30 s).',
    ),
    keepForTenantMs: int(60_000, { min: 0, max: 60 * MINUTE }, 'Time a used sandbox is kept for its tenant.'),
    acquireTimeoutMs: int(30_000, { min: 1, max: 10 * MINUTE }, 'Time a request waits for a sandbox.'),
    createTimeoutMs: int(
      30_000,
      { min: 1_000, max: 10 * MINUTE },
      'Time a sandbox may take from creation to ready.',
    ),
    resetTimeoutMs: int(
      10_000,
      { min: 100, max: MINUTE },
      'Time a reset may take; past it the sandbox is destroyed.',
    ),
    maxUses: int(1_000, { min: 1, max: 1_000_000 }, 'Executions after which a sandbox is replaced.'),
    maxAgeMs: int(
      60 * MINUTE,
      { min: 1_000, max: 24 * 60 * MINUTE },
      'Age after which a sandbox is replaced.',
    ),
    parallelCreates: int(
      2,
      { min: 1, max: 32 },
      'Sandboxes created at once: by each pool, and for single executions.',
    ),
  })
  .prefault({});
