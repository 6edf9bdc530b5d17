import { describe, expect, it } from 'vitest';
import { sizingSteps, type SizingInput, type SizingStep } from '../../../src/domain/pool/sizing.js';

/** Three warm of at most ten, as wanted, and nobody waits. */
const SETTLED: SizingInput = {
  creating: 0,
  warm: 3,
  kept: 0,
  destroying: 0,
  size: 3,
  max: 10,
  warmTarget: 3,
  waiting: 0,
  ahead: { fresh: 0, places: 0 },
  parallelCreates: 2,
  holdsBack: false,
};

const create = (count: number): SizingStep => ({ type: 'create', count });
const keptGo = (count: number, cause: 'other_tenant' | 'shrunk'): SizingStep => ({
  type: 'destroy',
  which: 'oldest_kept',
  count,
  cause,
});
const warmGo = (count: number, cause: 'idle' | 'shrunk'): SizingStep => ({
  type: 'destroy',
  which: 'oldest_warm',
  count,
  cause,
});

describe('the size of a pool', () => {
  it.each<[what: string, now: Partial<SizingInput>, steps: SizingStep[]]>([
    ['stays when it is as wanted', {}, []],
    ['grows by what is lacking', { warm: 2, size: 2 }, [create(1)]],
    ['grows by so many at once as may be created side by side', { warm: 0, size: 0 }, [create(2)]],
    ['counts what is being created', { warm: 1, creating: 1, size: 2 }, [create(1)]],
    ['does not grow while creations fail', { warm: 0, size: 0, holdsBack: true }, []],
    ['grows for those who wait', { warm: 0, size: 7, warmTarget: 0, waiting: 1 }, [create(1)]],
    ['never grows past its maximum', { warm: 0, size: 9, waiting: 5 }, [create(1)]],
    ['does not grow where one is still being removed', { warm: 0, size: 10, destroying: 2, waiting: 2 }, []],
    ['gives up what is idle', { warm: 5, size: 5 }, [warmGo(2, 'idle')]],
    ['keeps idle ones for those who wait', { warm: 5, size: 5, waiting: 2 }, []],
    [
      'makes room for those who wait, from what is kept longest',
      { warm: 0, kept: 4, size: 10, waiting: 2 },
      [keptGo(2, 'other_tenant')],
    ],
    [
      'makes room only for those for whom none is coming',
      { warm: 0, kept: 4, creating: 1, destroying: 1, size: 10, waiting: 3 },
      [keptGo(1, 'other_tenant')],
    ],
    ['leaves the kept alone while there is room', { warm: 0, kept: 4, size: 9, waiting: 1 }, [create(1)]],
    [
      'makes room ahead of need',
      { warm: 0, kept: 10, size: 10, ahead: { fresh: 2, places: 0 } },
      [keptGo(2, 'other_tenant')],
    ],
    [
      'makes no more room ahead than it wants warm',
      { warm: 3, kept: 7, size: 10, ahead: { fresh: 3, places: 0 } },
      [],
    ],
    [
      'wants more warm where tenants pass through',
      { warm: 3, kept: 5, size: 8, ahead: { fresh: 5, places: 0 } },
      [create(2)],
    ],
    ['keeps those while they do', { warm: 5, kept: 5, size: 10, ahead: { fresh: 5, places: 0 } }, []],
    [
      'empties places beside what is warm',
      { warm: 3, kept: 7, size: 10, ahead: { fresh: 3, places: 1 } },
      [keptGo(1, 'other_tenant')],
    ],
    ['leaves empty places empty', { warm: 3, kept: 5, size: 8, ahead: { fresh: 3, places: 2 } }, []],
    [
      'gives up nothing ahead while an empty place is being filled',
      { warm: 1, kept: 5, creating: 2, size: 10, ahead: { fresh: 3, places: 2 } },
      [],
    ],
    [
      'gives up no more ahead than can be made at once',
      { warm: 0, kept: 10, size: 10, ahead: { fresh: 3, places: 2 } },
      [keptGo(2, 'other_tenant')],
    ],
    [
      'gives up nothing ahead while creations fail',
      { warm: 0, kept: 10, size: 10, ahead: { fresh: 2, places: 0 }, holdsBack: true },
      [],
    ],
    [
      'made smaller, it gives up warm ones first, then kept ones',
      { warm: 3, kept: 4, size: 7, max: 2, warmTarget: 2 },
      [warmGo(3, 'shrunk'), keptGo(2, 'shrunk')],
    ],
    [
      'tells what is over the maximum from what is idle',
      { warm: 6, size: 6, max: 5, warmTarget: 2 },
      [warmGo(1, 'shrunk'), warmGo(3, 'idle')],
    ],
    [
      'does not count twice what goes already',
      { warm: 0, destroying: 3, size: 6, max: 3, warmTarget: 0 },
      [],
    ],
    ['cannot give up what is in use', { warm: 0, size: 6, max: 3, warmTarget: 0 }, []],
  ])('%s', (_what, now, steps) => {
    expect(sizingSteps({ ...SETTLED, ...now }, 'idle')).toEqual(steps);
  });

  it('says why what is too much goes', () => {
    expect(sizingSteps({ ...SETTLED, warm: 4, size: 4 }, 'shrunk')).toEqual([warmGo(1, 'shrunk')]);
  });
});
