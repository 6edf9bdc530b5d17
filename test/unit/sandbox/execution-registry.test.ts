import { describe, expect, it, onTestFinished } from 'vitest';
import { BerthError } from '../../../src/domain/errors.js';
import { ExecutionRegistry } from '../../../src/domain/sandbox/execution-registry.js';
import { LiveExecution } from '../../../src/domain/sandbox/live-execution.js';
import { REQUEST } from './request.js';

describe('ExecutionRegistry', () => {
  it('makes room with what nobody reads, oldest first, before what somebody does', async () => {
    const registry = new ExecutionRegistry({ retainMs: 60_000, retainTotalBytes: 25_000 });
    onTestFinished(() => registry.close());
    const ended = async (id: string): Promise<LiveExecution> => {
      const execution = new LiveExecution(id, REQUEST, { retainBytes: 1e6, spill: undefined });
      registry.add(execution);
      execution.output('stdout', new Uint8Array(10_000));
      execution.fail(new BerthError('INTERNAL', 'the test is over'));
      await execution.over;
      return execution;
    };
    const known = (): string[] => [...registry.all()].map(({ id }) => id);

    const read = await ended('read');
    const reader = read.log.read(0);
    await reader.next();
    await ended('second');
    await ended('third');
    expect(known()).toEqual(['read', 'third']);
    await reader.return(undefined);
    await ended('fourth');
    expect(known()).toEqual(['third', 'fourth']);
  });
});
