import { z } from 'zod';
import { int } from '../fields.js';

const MIB = 1024 * 1024;
const MINUTE = 60_000;

/** What is kept of executions. */
export const executionSection = z
  .strictObject({
    retainTotalBytes: int(
      64 * MIB,
      { min: MIB, max: 64 * 1024 * MIB },
      'Memory for the events of ended executions together; those that nobody reads and that ended first go first.',
    ),
    spillBytes: int(
      256 * MIB,
      { min: MIB, max: 1024 * 1024 * MIB },
      'Older events of one execution kept in a file in the state directory.',
    ),
    spillTotalBytes: int(
      1024 * MIB,
      { min: 0, max: 1024 * 1024 * MIB },
      'Older events of all executions kept in files together; 0: none.',
    ),
    maxWaitingBytes: int(
      256 * MIB,
      { min: 32 * MIB, max: 1024 * 1024 * MIB },
      'Input (code, files, standard input) of all executions that wait for a sandbox; beyond it new ones are refused.',
    ),
    maxRequestIds: int(
      100_000,
      { min: 100, max: 10_000_000 },
      'Request ids of executions kept in memory; for older ones of this life the database is asked.',
    ),
    maxPendingRecords: int(
      50_000,
      { min: 100, max: 10_000_000 },
      'Records of executions that may wait in memory while the database is away.',
    ),
    keepRecordsMs: int(
      7 * 24 * 60 * MINUTE,
      { min: MINUTE, max: 10 * 365 * 24 * 60 * MINUTE },
      'Time records of executions are kept.',
    ),
    keepRecords: int(
      1_000_000,
      { min: 100, max: 1_000_000_000 },
      'Records of executions kept; the oldest go first.',
    ),
  })
  .prefault({});
