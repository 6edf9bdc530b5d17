import { z } from 'zod';
import { choice, int, text } from '../fields.js';

/** Sandboxes without Docker. */
export const localSection = z
  .strictObject({
    mode: choice(
      ['on', 'off'],
      'on',
      'Whether code may run in sandboxes of bubblewrap while there is no Docker.',
    ),
    bwrap: text('bwrap', 'Name or path of bubblewrap; not below /tmp.'),
    python: text(
      '',
      'Path of the python3 of local sandboxes, whose installation they may read; empty: the first of /usr/local/bin, /usr/bin, /bin.',
    ),
    rootfs: text(
      '',
      "Unpacked root file system (docker export) that local sandboxes see; empty: the host's programs and libraries.",
    ),
    expose: text('', 'Further host paths, separated by commas, that local sandboxes may read.'),
    runnerUid: int(
      199_999,
      { min: 10_000, max: 2_000_000_000 },
      "Host uid that the runner of a local sandbox has outside; nobody else's.",
    ),
    cgroupParent: text(
      'berth',
      'Cgroup, below each hierarchy, that the cgroups of local sandboxes are made in.',
    ),
    unenforcedLimits: choice(
      ['refuse', 'allow'],
      'refuse',
      'What to do where cgroups cannot be written: without them each process has limits, the sandbox as a whole has none.',
    ),
  })
  .prefault({});
