import { describe, expect, it } from 'vitest';
import { FailpointRulesError, parseFailpointRules } from '../../../src/failpoints/rules.js';

describe('rules of failpoints', () => {
  it('are names with an action and a count', () => {
    const text = `
      # a case
      docker.createNetwork=error; store.commit(verify done)=kill@2
      sql(SELECT 1)=delay(50)@*
      *=kill_after@17; docker.stream(logs)=lost`;
    expect(parseFailpointRules(text)).toEqual([
      { name: 'docker.createNetwork', action: { kind: 'error' }, nth: 1 },
      { name: 'store.commit(verify done)', action: { kind: 'kill', when: 'before' }, nth: 2 },
      { name: 'sql(SELECT 1)', action: { kind: 'delay', ms: 50 }, nth: 'every' },
      { name: '*', action: { kind: 'kill', when: 'after' }, nth: 17 },
      { name: 'docker.stream(logs)', action: { kind: 'lost' }, nth: 1 },
    ]);
    expect(parseFailpointRules('')).toEqual([]);
  });

  it.each([
    ['on', '"on" is no rule'],
    ['=error', 'is no rule'],
    ['a=explode', '"explode" in "a=explode" is no action'],
    ['a=delay', 'is no action'],
    ['a=delay(-1)', 'is no action'],
    ['a=error@0', '"0" in "a=error@0" is no count'],
    ['a=error@x', 'is no count'],
    ['a=error@1@2', 'is no action'],
  ])('that are none are refused with what is wrong: %s', (text, problem) => {
    expect(() => parseFailpointRules(`docker.info=error;${text}`)).toThrow(FailpointRulesError);
    expect(() => parseFailpointRules(text)).toThrow(problem);
  });

  it('are refused all at once', () => {
    try {
      parseFailpointRules('a=b;c;d=error');
      expect.unreachable();
    } catch (error) {
      expect((error as FailpointRulesError).problems).toHaveLength(2);
    }
  });
});
