import { z } from 'zod';
import { choice, int, text } from '../fields.js';

const MIB = 1024 * 1024;
const MINUTE = 60_000;

/** What a sandbox is given, and the most that a request may ask for. */
export const sandboxSection = z
  .strictObject({
    pythonImage: text('berth/sandbox-python:3.11', 'Image for language python.'),
    memoryBytes: int(
      512 * MIB,
      { min: 32 * MIB, max: 64 * 1024 * MIB },
      'Memory of a sandbox; swap is limited to the same.',
    ),
    maxMemoryBytes: int(
      2048 * MIB,
      { min: 32 * MIB, max: 64 * 1024 * MIB },
      'Largest memory a request may ask for.',
    ),
    cpuMillis: int(500, { min: 50, max: 64_000 }, 'CPU of a sandbox in thousandths of a core.'),
    maxCpuMillis: int(
      64_000,
      { min: 50, max: 1_024_000 },
      'Most CPU a request may ask for, in thousandths of a core.',
    ),
    processes: int(128, { min: 16, max: 4_096 }, 'Processes and threads in a sandbox.'),
    maxProcesses: int(4_096, { min: 16, max: 32_768 }, 'Most processes and threads a request may ask for.'),
    tmpfsBytes: int(64 * MIB, { min: MIB, max: 4096 * MIB }, 'Size of /tmp and of /workspace, each.'),
    maxTmpfsBytes: int(
      2048 * MIB,
      { min: MIB, max: 64 * 1024 * MIB },
      'Largest size of /tmp and of /workspace a request may ask for.',
    ),
    tmpfsInodes: int(16_384, { min: 256, max: 1_000_000 }, 'Files in /tmp and in /workspace, each.'),
    shmBytes: int(16 * MIB, { min: MIB, max: 1024 * MIB }, 'Size of /dev/shm.'),
    ociRuntime: text(
      '',
      'Docker runtime of sandboxes without gVisor; runc: always there; empty: crun where Docker has it beside its default runc and it works, else the default.',
    ),
    gvisorRuntime: text(
      '',
      'Docker runtime that isolation gvisor uses; empty: the first that Docker has of berth-runsc and runsc.',
    ),
    gvisorUnenforcedLimits: choice(
      ['refuse', 'allow'],
      'refuse',
      'What to do with gVisor where nothing shows that memory, CPU and processes are limited (another host, a runtime with --ignore-cgroups).',
    ),
    uidFirst: int(200_000, { min: 10_000, max: 2_000_000_000 }, 'First host uid that executions run under.'),
    uidCount: int(50_000, { min: 100, max: 1_000_000 }, 'How many host uids executions may use.'),
    wallMs: int(30_000, { min: 1, max: 24 * 60 * MINUTE }, 'Wall time of an execution that names none.'),
    maxWallMs: int(
      10 * MINUTE,
      { min: 1, max: 24 * 60 * MINUTE },
      'Longest wall time a request may ask for.',
    ),
    maxCpuTimeMs: int(
      24 * 60 * MINUTE,
      { min: 1, max: 7 * 24 * 60 * MINUTE },
      'Most CPU time a request may set as its limit.',
    ),
    outputBytes: int(
      16 * MIB,
      { min: 1, max: 16_384 * MIB },
      'Output (stdout and stderr together) of an execution that names no limit.',
    ),
    maxOutputBytes: int(
      1024 * MIB,
      { min: 1, max: 16_384 * MIB },
      'Largest output limit a request may ask for.',
    ),
    maxFileBytes: int(
      1024 * 1024 * MIB,
      { min: 1, max: 1024 * 1024 * MIB },
      'Largest limit of file size a request may set.',
    ),
    retainBytes: int(
      4 * MIB,
      { min: 64 * 1024, max: 1024 * MIB },
      'Events of one execution kept in memory for repeated request ids and later readers.',
    ),
    retainMs: int(
      MINUTE,
      { min: 0, max: 24 * 60 * MINUTE },
      'Time the events of an ended execution are kept.',
    ),
  })
  .prefault({});
