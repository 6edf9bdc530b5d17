import type { AnySandbox } from '../sandbox/sandbox.js';
import type { DestroyCause } from './destroy-cause.js';
import type { PoolLease } from './pool-lease.js';

/** One place in a pool, from the moment its container is asked for until that container is gone. Times: milliseconds since the epoch. */
export type Slot =
  /** Its container is being made. */
  | { state: 'creating'; id: string; createdAt: number; abort: AbortController }
  /** Ready, never given to a tenant. */
  | { state: 'warm'; id: string; createdAt: number; sandbox: AnySandbox }
  /** An execution has it. */
  | {
      state: 'leased';
      id: string;
      createdAt: number;
      sandbox: AnySandbox;
      tenant: string;
      /** Whether the tenant was served not long before. */
      comesBack: boolean;
      since: number;
      lease: PoolLease;
    }
  /** Between executions. */
  | {
      state: 'resetting';
      id: string;
      createdAt: number;
      sandbox: AnySandbox;
      tenant: string;
      since: number;
    }
  /** Ready, for this tenant only. */
  | { state: 'kept'; id: string; createdAt: number; sandbox: AnySandbox; tenant: string; since: number }
  /** Its container is being removed; it still counts, so that there is never one more than the maximum. */
  | { state: 'destroying'; id: string; createdAt: number; sandbox: AnySandbox; cause: DestroyCause };

export type SlotState = Slot['state'];
export type ReadySlot = Slot & { state: 'warm' | 'kept' };
