import { describe, expect, it } from 'vitest';
import { PROGRAMS } from '../../hostile/engines.js';
import { loadPrograms, parseProgram } from '../../hostile/program.js';
import { SAMPLE } from '../../hostile/sample.js';

const THREATS = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 25, 26];

describe('the header of a hostile program', () => {
  const source = `#!/usr/bin/env python3
# tries: to do harm
#    in two lines
# threats: 6 12
# limits: {"wallMs": 600}
# ends: exited 0 or wall_timeout
# shows: one
# shows: t(w|o)+
# shows gvisor: other
# pointless local: it has no runner
import os
# shows: not a header any more
`;

  it('says what it tries, for which threats, within which limits', () => {
    expect(parseProgram('harm.py', source)).toMatchObject({
      name: 'harm',
      language: 'python',
      tries: 'to do harm in two lines',
      threats: [6, 12],
      limits: { wallMs: 600 },
      client: 'reads',
    });
  });

  it('says what must be seen, on an engine of its own where that differs', () => {
    const program = parseProgram('harm.py', source);
    expect(program.on('runc')).toEqual({
      ends: ['exited 0', 'wall_timeout'],
      lines: [/^(?:one)$/, /^(?:t(w|o)+)$/],
      repeats: undefined,
      pointless: undefined,
    });
    expect(program.on('gvisor').lines).toEqual([/^(?:other)$/]);
    expect(program.on('local').pointless).toBe('it has no runner');
  });

  it('tells bytes that repeat', () => {
    const text =
      '# tries: a\n# threats: 10\n# ends: output_limit\n# repeats: "\\u0000\\u00e2x" up to 7 bytes\n';
    expect(parseProgram('flood.sh', text).on('runc').repeats).toEqual({
      pattern: Buffer.from([0, 0xe2, 0x78]),
      bytes: 7,
    });
  });

  it.each([
    ['an unknown key', '# tries: a\n# thraets: 4\n', 'bad.py:2: not a line of a header: # thraets: 4'],
    ['an engine for what is the same on all', '# tries gvisor: a\n', 'bad.py:1: not a line of a header'],
    ['no threats', '# tries: a\n# ends: exited 0\n', "bad.py: its header has no 'threats:'"],
    ['no end', '# tries: a\n# threats: 4\n', "bad.py: its header has no 'ends:'"],
    [
      'words for threats',
      '# tries: a\n# threats: all\n# ends: exited 0\n',
      'bad.py: threats: must be numbers',
    ],
    ['another client', '# tries: a\n# client: sleeps\n', 'bad.py: client: must be one of'],
  ])('is refused with %s', (_, text, message) => {
    expect(() => parseProgram('bad.py', text)).toThrow(message);
  });
});

describe('the hostile programs', () => {
  const all = loadPrograms(PROGRAMS);
  const covered = (programs: typeof all): number[] =>
    [...new Set(programs.flatMap(({ threats }) => threats))].sort((a, b) => a - b);

  it('cover every threat that is theirs', () => {
    expect(covered(all)).toEqual(THREATS);
  });

  it('cover them in the sample as well', () => {
    expect(covered(all.filter(({ name }) => SAMPLE.includes(name)))).toEqual(THREATS);
  });
});
